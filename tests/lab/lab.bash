# shellcheck shell=bash disable=SC2034 # the names are for the commands
# Names and places of the lab. Every command here sources it.
#
# A lab is one process, `world`, that is the init of a process namespace. All else runs below it:
# the hosts a, b and c, the peer, every QEMU, agent and capture. The end of that process is the
# end of all of it, mounts and network namespaces included; what is left are the files in LAB_DIR.

LAB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
REPO=$(readlink -f "$LAB/../..")
# State of a running lab: sockets, logs, captures. Short, for a socket's path takes 107 octets.
LAB_DIR=${LAB_DIR:-/run/macmoved-lab}
# What outlives it: the guest's kernel and initramfs, promtool, backports.
LAB_CACHE=${LAB_CACHE:-${CARGO_TARGET_DIR:-$REPO/target}/lab}
# What hosts run: nothing for this system's libvirt and QEMU, or backports.
LAB_RELEASE=${LAB_RELEASE:-}
# Guest networks 0 and 1 and the migration network, TEST-NET-1 to 3 (RFC 5737), without the last
# octet. The peer is .254 in the guests' networks; hosts a, b, c are .1, .2, .3 in the last.
LAB_NETS=(192.0.2 198.51.100)
LAB_MIGRATION_NET=203.0.113
export LAB_DIR LAB_CACHE LAB_RELEASE LC_ALL=C.UTF-8 TZ=UTC
PATH=$PATH:/usr/sbin:/sbin:$LAB_CACHE/bin

# No command of a script here fails unheard.
trap 'printf "%s: line %s failed: %s\n" "${0##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Makes LAB_CACHE for the repository's owner, whose target/ it is in.
make_cache() {
  local target=${LAB_CACHE%/*}
  if [[ ! -e $target ]]; then
    mkdir -p "$target"
    chown --reference="$REPO" "$target"
  fi
  mkdir -p "$LAB_CACHE"
}
# Gives all in it to that owner.
hand_over_cache() {
  [[ ! -e $LAB_CACHE ]] || chown -R --reference="$REPO" "$LAB_CACHE"
}

# The pid that place $1 lives by: `fabric`, `peer`, `a`, `b` or `c`.
place_pid() {
  [[ -r $LAB_DIR/$1/pid ]] || fail "there is no $1 in $LAB_DIR; tests/lab/up makes a lab"
  cat "$LAB_DIR/$1/pid"
}

# Runs a command in a place.
within() {
  local pid
  pid=$(place_pid "$1") || exit
  # A mount namespace's own root is not the place's where this runs in a chroot.
  nsenter --target "$pid" --mount --uts --net --pid --root --wd=/ -- "${@:2}"
}

# The hosts of the running lab.
hosts() {
  cat "$LAB_DIR/hosts"
}

host_number() {
  case $1 in
    a) echo 1 ;; b) echo 2 ;; c) echo 3 ;;
    *) fail "no host is called $1; there are a, b and c" ;;
  esac
}

# Waits up to $1 seconds until the command that follows succeeds.
wait_until() {
  local deadline=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}

# "pid start-time" of a process: a name for it that no later process can have.
process_name() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086 # words are what is wanted
  set -- "$1" $stat
  [[ $2 != Z ]] && echo "$1 ${21}"
}

# Whether the process that file $1 names is alive.
alive() {
  local name
  name=$(cat "$1" 2>/dev/null) && [[ $name == "$(process_name "${name% *}")" ]]
}
