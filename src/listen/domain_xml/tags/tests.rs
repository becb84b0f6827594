use super::*;

fn prepared(xml: &str) -> String {
    prepare(xml).unwrap().into_owned()
}

#[test]
fn a_document_without_prefixes_is_not_copied() {
    let xml = "<domain type='kvm'><name>a:b</name><!-- <x:y> --></domain>";
    assert!(matches!(prepare(xml), Ok(Cow::Borrowed(same)) if same == xml));
}

#[test]
fn only_names_lose_their_colons() {
    assert_eq!(
        prepared(
            "<?pi a:b?><a:b c:d='e:f' g=\"<h:i\" ><!--j:k <l:m>--><![CDATA[<n:o>]]>p:q</a:b><r:s/>"
        ),
        "<?pi a:b?><a.b c.d='e:f' g=\"<h.i\" ><!--j:k <l:m>--><![CDATA[<n:o>]]>p:q</a.b><r.s/>"
    );
}

#[test]
fn a_quote_hides_the_end_of_a_tag() {
    assert_eq!(prepared("<a b='>' c:d='\"'>e:f"), "<a b='>' c.d='\"'>e:f");
}

#[test]
fn what_never_ends_is_left_to_the_parser() {
    for xml in [
        "<",
        "<a",
        "<a:",
        "<a b='",
        "<!--",
        "<![CDATA[ <a:b",
        "<?",
        "</",
    ] {
        assert_eq!(
            prepared(xml),
            xml.replacen("<a:", "<a.", usize::from(xml == "<a:"))
        );
    }
}

#[test]
fn an_element_with_too_many_attributes_is_refused() {
    let element = |count: usize| {
        let attributes: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<domain{attributes}/>")
    };
    assert!(prepare(&element(MAX_ATTRIBUTES_OF_ONE)).is_ok());
    assert_eq!(
        prepare(&element(MAX_ATTRIBUTES_OF_ONE + 1)),
        Err(DomainXmlError::TooManyAttributes)
    );
}

#[test]
fn what_the_tree_reserves_room_for_is_counted_everywhere() {
    assert_eq!(
        prepare(&"<".repeat(MAX_NODES + 1)),
        Err(DomainXmlError::TooManyNodes)
    );
    assert_eq!(
        prepare(&"=".repeat(MAX_ATTRIBUTES + 1)),
        Err(DomainXmlError::TooManyAttributes)
    );
}
