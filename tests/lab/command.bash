# shellcheck shell=bash
# What tests/run and deploy/demo have in common: however they end, the lab and all that they
# started end too. They source it after lab.bash and call `owns_lab` first.

# Makes this command the owner of the lab in $1 and arranges for the end.
owns_lab() {
  ((EUID == 0)) || fail "namespaces, taps and packages need root: sudo $0"
  export LAB_DIR=$1 LAB_OWNER=$$
  step='' follow='' keep=''
  log=$LAB_DIR.log
  trap clean EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # What a run that was killed left.
  "$LAB/down"
}

clean() {
  trap '' HUP INT TERM
  if [[ $step ]]; then
    kill -TERM -- "-$step" 2>/dev/null || true
    wait "$step" 2>/dev/null || true
  fi
  if [[ $keep ]]; then
    rm -f "$LAB_DIR/owner"
  else
    "$LAB/down" || true
  fi
  hand_over_cache
  rm -f "$log"
}

# Runs a command in a session of its own, so that a signal to this one ends all of it. What it says
# goes to the log; with follow set, the tests that end are told at once.
run() {
  setsid "$@" </dev/null >"$log" 2>&1 &
  step=$!
  local status=0
  if [[ $follow ]]; then
    tail --lines +1 --follow --pid "$step" --sleep-interval 0.5 "$log" | grep --line-buffered '^test ' || true
  fi
  wait "$step" || status=$?
  step=''
  return "$status"
}

# The same for a command without which there is no going on.
must() {
  run "$@" && return
  cat "$log" >&2
  fail "$* failed"
}
