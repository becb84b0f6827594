use super::*;

#[test]
fn structures_have_the_layout_of_the_kernels_header() {
    assert_eq!(size_of::<Instruction>(), 8);
    assert_eq!(offset_of!(Context, target), 48);
    assert_eq!(offset_of!(LoadAttributes, instructions), 8);
    assert_eq!(offset_of!(LoadAttributes, name), 48);
    assert_eq!(size_of::<LoadAttributes>(), 64);
    assert_eq!(offset_of!(RunAttributes, data_in), 16);
    assert_eq!(offset_of!(RunAttributes, repeat), 32);
    assert_eq!(offset_of!(RunAttributes, context_in), 48);
    assert_eq!(size_of::<RunAttributes>(), 64);
}
