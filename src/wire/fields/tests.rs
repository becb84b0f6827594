use crate::model::MacAddr;
use crate::wire::Frame;

fn frames() -> Vec<Frame> {
    let mac = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);
    let ip = "192.0.2.7".parse().unwrap();
    let vlan = Some(100.try_into().unwrap());
    vec![
        Frame::rarp(mac, None),
        Frame::rarp(mac, vlan),
        Frame::garp(mac, ip, None),
        Frame::garp(mac, ip, vlan),
        Frame::unarp(mac, ip, None),
        Frame::unarp(mac, ip, vlan),
    ]
}

#[test]
fn fields_cover_every_octet_once() {
    for frame in frames() {
        let fields = frame.fields();
        let mut next = 0;
        for field in &fields {
            assert_eq!(field.offset, next, "{frame}");
            next += field.octets.len();
        }
        let joined: Vec<u8> = fields.into_iter().flat_map(|field| field.octets).collect();
        assert_eq!(joined, frame.to_vec());
    }
}

#[test]
fn fields_say_what_they_hold() {
    let meanings = |frame: &Frame| {
        let fields = frame.fields();
        fields.into_iter().map(|it| it.meaning).collect::<Vec<_>>()
    };
    let [rarp, tagged, garp, _, unarp, _] = frames().try_into().unwrap();
    assert!(meanings(&rarp).contains(&"operation 3 (RARP request reverse)".to_owned()));
    assert!(meanings(&tagged).contains(&"VLAN 100, priority 0".to_owned()));
    assert!(meanings(&garp).contains(&"target MAC 00:00:00:00:00:00".to_owned()));
    assert!(meanings(&unarp).contains(&"host that leaves 192.0.2.7".to_owned()));
    for frame in frames() {
        assert_eq!(meanings(&frame).last().unwrap(), "padding");
    }
}
