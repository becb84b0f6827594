use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn directory_and_socket_are_for_their_owner() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("macmoved/control.sock");
    let socket = NamedSocket::bind(&path, 1).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        mode(path.parent().unwrap()) & 0o027,
        0,
        "nobody else writes or looks"
    );
    assert_eq!(socket.owner(), fs::symlink_metadata(&path).unwrap().uid());
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone_and_a_dead_one_is_replaced() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    let first = NamedSocket::bind(&path, 1).await.unwrap();
    let second = NamedSocket::bind(&path, 1).await.unwrap_err();
    assert!(matches!(second, BindSocketError::InUse { .. }), "{second}");
    drop(first);

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket that nobody listens on");
    let revived = NamedSocket::bind(&path, 1).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    drop(revived);
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    let error = NamedSocket::bind(&path, 1).await.unwrap_err();
    assert!(
        matches!(error, BindSocketError::NotASocket { .. }),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_successor_keeps_the_name() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    let first = NamedSocket::bind(&path, 1).await.unwrap();
    fs::remove_file(&path).unwrap();
    let second = NamedSocket::bind(&path, 1).await.unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let error = NamedSocket::bind(Path::new("/nonexistent/a/b.sock"), 1)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot make the directory /nonexistent/a"
    );
}

#[tokio::test]
async fn a_caller_comes_with_its_user() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("control.sock");
    let socket = NamedSocket::bind(&path, 1).await.unwrap();
    let _caller = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let (_, uid) = socket.accept().await.unwrap();
    assert_eq!(uid, socket.owner());
}
