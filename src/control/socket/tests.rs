use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn directory_and_socket_are_for_their_owner() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("macmoved/control.sock");
    let socket = ControlSocket::bind(&path).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        mode(path.parent().unwrap()) & 0o027,
        0,
        "nobody else writes or looks"
    );
    assert!(socket.admits(0) && socket.admits(socket.owner));
    assert!(!socket.admits(socket.owner + 1));
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone_and_a_dead_one_is_replaced() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    let first = ControlSocket::bind(&path).await.unwrap();
    let second = ControlSocket::bind(&path).await.unwrap_err();
    assert!(
        matches!(second, BindControlSocketError::InUse { .. }),
        "{second}"
    );
    drop(first);

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket that nobody listens on");
    let revived = ControlSocket::bind(&path).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    drop(revived);
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    let error = ControlSocket::bind(&path).await.unwrap_err();
    assert!(
        matches!(error, BindControlSocketError::NotASocket { .. }),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_successor_keeps_the_name() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    let first = ControlSocket::bind(&path).await.unwrap();
    fs::remove_file(&path).unwrap();
    let second = ControlSocket::bind(&path).await.unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let error = ControlSocket::bind(Path::new("/nonexistent/a/b.sock"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot make the directory /nonexistent/a"
    );
}
