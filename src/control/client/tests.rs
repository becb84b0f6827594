use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use super::*;

#[tokio::test]
async fn an_absent_and_a_dead_socket_both_mean_that_nobody_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let absent = Client::connect(&path).await.unwrap_err();
    assert!(
        matches!(absent, ConnectError::NotRunning { .. }),
        "{absent}"
    );
    drop(UnixListener::bind(&path).unwrap());
    let dead = Client::connect(&path).await.unwrap_err();
    assert!(matches!(dead, ConnectError::NotRunning { .. }), "{dead}");
}

#[tokio::test]
async fn a_stranger_on_the_socket_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let stranger = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 ready\r\n").await.unwrap();
    });
    let error = Client::connect(&path).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error}");
    stranger.await.unwrap();
}
