//! Values as bytes: the few that a request is made of.

/// A sequence.
pub(crate) const SEQUENCE: u8 = 0x30;
/// A text.
pub(crate) const TEXT: u8 = 0x04;
const INTEGER: u8 = 0x02;
const NAME: u8 = 0x06;

/// Content behind its tag and length.
pub(crate) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0).unwrap_or(length.len());
    let length = length.get(significant..).unwrap_or_default();
    let head = match length {
        [] => vec![tag, 0],
        [short] if *short < 0x80 => vec![tag, *short],
        // There are never more than eight.
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or(8)], long].concat(),
    };
    [&head, content].concat()
}

/// A whole number, in as few bytes as hold it.
pub(crate) fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let needless =
        |pair: &[u8]| matches!(pair, [byte, next] if *byte == sign && (next ^ sign) < 0x80);
    let from = bytes.windows(2).take_while(|pair| needless(pair)).count();
    tagged(INTEGER, bytes.get(from..).unwrap_or_default())
}

/// A name in the tree of managed objects.
pub(crate) fn name(numbers: &[u32]) -> Vec<u8> {
    let (head, rest) = match numbers {
        [first, second, rest @ ..] => (first.saturating_mul(40).saturating_add(*second), rest),
        short => (short.first().copied().unwrap_or_default().saturating_mul(40), &[][..]),
    };
    let all = std::iter::once(head).chain(rest.iter().copied());
    tagged(NAME, &all.flat_map(septets).collect::<Vec<_>>())
}

/// Seven bits a byte, all but the last one marked.
fn septets(number: u32) -> Vec<u8> {
    let part = |shift: u32| u8::try_from((number >> shift) & 0x7f).unwrap_or_default();
    let shifts = [28, 21, 14, 7, 0];
    let from = shifts.iter().position(|shift| number >> shift != 0).unwrap_or(4);
    let shifts = shifts.iter().skip(from);
    shifts.map(|shift| part(*shift) | if *shift == 0 { 0 } else { 0x80 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_as_few_bytes_as_they_need() {
        let cases: [(i64, &[u8]); 8] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (256, &[1, 0]),
            (-1, &[0xff]),
            (-128, &[0x80]),
            (-129, &[0xff, 0x7f]),
            (0x7fff_ffff, &[0x7f, 0xff, 0xff, 0xff]),
        ];
        for (number, bytes) in cases {
            assert_eq!(integer(number), tagged(INTEGER, bytes), "{number}");
        }
    }

    #[test]
    fn lengths_have_a_short_and_a_long_form() {
        assert_eq!(tagged(TEXT, &[]), [TEXT, 0]);
        assert_eq!(tagged(TEXT, &[7; 127])[..2], [TEXT, 127]);
        assert_eq!(tagged(TEXT, &[7; 128])[..3], [TEXT, 0x81, 128]);
        assert_eq!(tagged(TEXT, &[7; 300])[..4], [TEXT, 0x82, 1, 44]);
    }

    #[test]
    fn names_pack_seven_bits_a_byte() {
        assert_eq!(name(&[1, 3, 6, 1]), [NAME, 3, 0x2b, 6, 1]);
        assert_eq!(
            name(&[1, 3, 128, 16_384, u32::MAX])[3..],
            [0x81, 0, 0x81, 0x80, 0, 0x8f, 0xff, 0xff, 0xff, 0x7f]
        );
    }
}
