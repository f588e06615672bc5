//! The header of a GGUF file: magic, version, two counts, key-value pairs, tensor descriptions; and whether the tensors that
//! it describes fit the data behind it. <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::{Counted, Format, clipped, ggml};

/// The first four bytes.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";

/// The versions whose counts are 64 bits wide and that are still written.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;

/// The fewest bytes of a key-value pair: the key's length, the value's type, a value of one byte.
const SMALLEST_ENTRY: u64 = 8 + 4 + 1;

/// The fewest bytes of a tensor's description: the name's length, the number of dimensions, the type, the offset.
const SMALLEST_TENSOR: u64 = 8 + 4 + 4 + 8;

/// The most dimensions that ggml knows.
const MOST_DIMENSIONS: u32 = 4;

/// The longest names of tensors and keys that the format allows, in bytes.
const LONGEST_NAME: u64 = 64;
const LONGEST_KEY: u64 = 65_535;

/// The key of the number that offsets and the beginning of the data are multiples of, and that number without the key.
const ALIGNMENT_KEY: &[u8] = b"general.alignment";
const DEFAULT_ALIGNMENT: u32 = 32;

/// Arrays may nest; no writer goes this deep.
const DEEPEST: u32 = 8;

/// Type numbers of values that need more than a size.
const UINT32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Reads a header to its end.
pub(super) fn parse<R: Read + Seek>(input: &mut Counted<R>) -> Result<Format, String> {
    if input.take_array()? != MAGIC {
        return Err("does not begin with the magic `GGUF`: not a GGUF file".to_owned());
    }
    let version = u32(input)?;
    if !VERSIONS.contains(&version) {
        return Err(format!("is GGUF version {version}: only little-endian files of versions 2 and 3 are read"));
    }
    let tensors = u64(input)?;
    let metadata_entries = u64(input)?;
    fits(input, "tensors", tensors, SMALLEST_TENSOR)?;
    fits(input, "metadata entries", metadata_entries, SMALLEST_ENTRY)?;
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..metadata_entries {
        let key = name(input, "key", LONGEST_KEY)?;
        let kind = u32(input)?;
        if key == ALIGNMENT_KEY && kind == UINT32 {
            alignment = u32(input)?;
        } else {
            value(input, kind, 0)?;
        }
    }
    if !alignment.is_power_of_two() {
        return Err(format!("is malformed: its alignment is {alignment}, not a power of two"));
    }
    let mut names = BTreeSet::new();
    let mut places = Vec::new();
    let mut unchecked_tensors = 0_u64;
    for _ in 0..tensors {
        let tensor = Tensor::read(input)?;
        let bytes = ggml::tensor_bytes(tensor.kind, &tensor.extents)
            .map_err(|why| format!("is malformed: tensor {} {why}", clipped(&tensor.name)))?;
        if bytes.is_none() {
            unchecked_tensors = unchecked_tensors.saturating_add(1);
        }
        // Of a type that is not known here, a tensor takes a byte at least.
        places.push((tensor.offset, bytes.unwrap_or(1), tensor.name.clone()));
        if let Some(twice) = names.replace(tensor.name) {
            return Err(format!("is malformed: the tensor name {} comes twice", clipped(&twice)));
        }
    }
    let header_bytes = input.position;
    let begin = header_bytes.checked_next_multiple_of(u64::from(alignment)).unwrap_or(u64::MAX);
    lie_apart(places, u64::from(alignment), input.bytes.saturating_sub(begin))?;
    Ok(Format::Gguf { version, tensors, metadata_entries, header_bytes, unchecked_tensors })
}

/// What the header says of one tensor.
struct Tensor {
    name: Vec<u8>,
    extents: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Tensor {
    fn read<R: Read + Seek>(input: &mut Counted<R>) -> Result<Self, String> {
        let name = name(input, "tensor name", LONGEST_NAME)?;
        let dimensions = u32(input)?;
        if dimensions > MOST_DIMENSIONS {
            return Err(format!("is malformed: a tensor claims {dimensions} dimensions, more than {MOST_DIMENSIONS}"));
        }
        let extents = (0..dimensions).map(|_| u64(input)).collect::<Result<_, _>>()?;
        Ok(Self { name, extents, kind: u32(input)?, offset: u64(input)? })
    }
}

/// Checks that tensors, given as offset, size and name, begin at multiples of `alignment`, lie within `data_bytes`, and
/// have no byte in common.
fn lie_apart(mut places: Vec<(u64, u64, Vec<u8>)>, alignment: u64, data_bytes: u64) -> Result<(), String> {
    places.sort();
    let mut filled = 0;
    for (offset, bytes, name) in places {
        let name = clipped(&name);
        let end = offset.checked_add(bytes).filter(|end| *end <= data_bytes).ok_or_else(|| {
            format!(
                "is truncated or malformed: tensor {name} takes {bytes} bytes from offset {offset}, and {data_bytes} bytes of \
                 data follow the header; fetch the file again"
            )
        })?;
        if offset.checked_rem(alignment) != Some(0) {
            return Err(format!("is malformed: tensor {name} begins at offset {offset}, no multiple of {alignment}"));
        }
        if offset < filled {
            return Err(format!("is malformed: tensor {name} begins at offset {offset}, within another tensor"));
        }
        filled = end;
    }
    Ok(())
}

/// Refuses a count whose smallest items would not fit the rest of the file.
fn fits<R: Read + Seek>(input: &Counted<R>, what: &str, count: u64, smallest: u64) -> Result<(), String> {
    let most = input.left().checked_div(smallest).unwrap_or(0);
    if count <= most {
        return Ok(());
    }
    Err(format!("claims {count} {what}, and its {} bytes have room for {most} at most: malformed", input.bytes))
}

/// Skips a value of type `kind`.
fn value<R: Read + Seek>(input: &mut Counted<R>, kind: u32, depth: u32) -> Result<(), String> {
    match kind {
        STRING => text(input),
        ARRAY => array(input, depth),
        _ => input.skip(size_of_kind(kind)?),
    }
}

fn array<R: Read + Seek>(input: &mut Counted<R>, depth: u32) -> Result<(), String> {
    if depth >= DEEPEST {
        return Err(format!("is malformed: arrays nested deeper than {DEEPEST}"));
    }
    let kind = u32(input)?;
    let count = u64(input)?;
    // An array in an array takes 12 bytes at least, a string 8: an empty one still costs something.
    let smallest = match kind {
        STRING => 8,
        ARRAY => 12,
        _ => size_of_kind(kind)?,
    };
    fits(input, "array elements", count, smallest)?;
    if kind != STRING && kind != ARRAY {
        return input.skip(count.saturating_mul(smallest));
    }
    for _ in 0..count {
        value(input, kind, depth.saturating_add(1))?;
    }
    Ok(())
}

/// The size in bytes of a number or truth value.
fn size_of_kind(kind: u32) -> Result<u64, String> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        _ => Err(format!("is malformed: no value has type {kind}")),
    }
}

/// Reads a name: its length, then its bytes.
fn name<R: Read + Seek>(input: &mut Counted<R>, what: &str, longest: u64) -> Result<Vec<u8>, String> {
    let length = u64(input)?;
    if length > longest {
        return Err(format!("is malformed: a {what} claims {length} bytes, more than {longest}"));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    input.fill(&mut bytes)?;
    Ok(bytes)
}

/// Skips a string: its length, then its bytes.
fn text<R: Read + Seek>(input: &mut Counted<R>) -> Result<(), String> {
    let length = u64(input)?;
    input.skip(length)
}

fn u32<R: Read + Seek>(input: &mut Counted<R>) -> Result<u32, String> {
    input.take_array().map(u32::from_le_bytes)
}

fn u64<R: Read + Seek>(input: &mut Counted<R>) -> Result<u64, String> {
    input.take_array().map(u64::from_le_bytes)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [string(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    }

    fn tensor(name: &str, extents: &[u64], offset: u64) -> Vec<u8> {
        let mut bytes = string(name);
        bytes.extend((extents.len() as u32).to_le_bytes());
        bytes.extend(extents.iter().flat_map(|extent| extent.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes
    }

    fn head(version: u32, tensors: u64, entries: u64) -> Vec<u8> {
        [&MAGIC[..], &version.to_le_bytes(), &tensors.to_le_bytes(), &entries.to_le_bytes()].concat()
    }

    fn array_of(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes(), &count.to_le_bytes()[..], elements].concat()
    }

    /// Header, padding and 64 bytes of data.
    fn good() -> (Vec<u8>, u64) {
        let mut bytes = head(3, 2, 4);
        bytes.extend(entry("general.architecture", STRING, &string("bert")));
        bytes.extend(entry("block_count", 4, &6_u32.to_le_bytes()));
        bytes.extend(entry("tokens", ARRAY, &array_of(STRING, 2, &[string("a"), string("")].concat())));
        bytes.extend(entry("scores", ARRAY, &array_of(6, 3, &[0; 12])));
        bytes.extend(tensor("t", &[4, 2], 0));
        bytes.extend(tensor("u", &[8], 32));
        let header = bytes.len() as u64;
        (with_data(bytes, 64), header)
    }

    fn with_data(mut header: Vec<u8>, data: usize) -> Vec<u8> {
        header.resize(header.len().next_multiple_of(32) + data, 7);
        header
    }

    fn read(bytes: &[u8]) -> Result<Format, String> {
        parse(&mut Counted::new(Cursor::new(bytes), bytes.len() as u64))
    }

    #[test]
    fn a_sound_header_is_read_to_its_end() {
        let (bytes, header_bytes) = good();
        let (version, tensors, metadata_entries, unchecked_tensors) = (3, 2, 4, 0);
        let expected = Format::Gguf { version, tensors, metadata_entries, header_bytes, unchecked_tensors };
        assert_eq!(read(&bytes), Ok(expected));
    }

    #[test]
    fn every_truncation_is_refused() {
        let (bytes, _) = good();
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn tensors_that_do_not_fit_the_data_or_one_another_are_refused() {
        let file = |tensors: &[Vec<u8>], data| {
            read(&with_data([head(3, tensors.len() as u64, 0), tensors.concat()].concat(), data))
        };
        let billion = file(&[tensor("t", &[1_000_000_000], 0)], 32).unwrap_err();
        assert!(billion.contains("takes 4000000000 bytes from offset 0, and 32 bytes"), "{billion}");
        assert!(file(&[tensor("t", &[1 << 62, 2], 0)], 32).unwrap_err().contains("64 bits"));
        assert!(file(&[tensor("t", &[1], u64::MAX - 31)], 32).unwrap_err().contains("truncated"));
        let pair = |name: &str, offset| file(&[tensor("t", &[9], 0), tensor(name, &[8], offset)], 96);
        assert!(pair("u", 64).is_ok());
        assert!(pair("t", 64).unwrap_err().contains("comes twice"));
        assert!(pair("u", 32).unwrap_err().contains("within another tensor"));
        assert!(pair("u", 60).unwrap_err().contains("no multiple of 32"));
        assert!(pair(&"u".repeat(65), 64).unwrap_err().contains("claims 65 bytes"));
    }

    #[test]
    fn sizes_of_an_unknown_type_are_counted_as_unchecked() {
        let mut odd = tensor("t", &[1 << 40], 0);
        let kind = odd.len() - 12;
        odd[kind] = 200;
        let bytes = with_data([head(3, 2, 0), odd, tensor("u", &[8], 32)].concat(), 64);
        assert!(matches!(read(&bytes), Ok(Format::Gguf { unchecked_tensors: 1, .. })));
    }

    #[test]
    fn the_alignment_of_the_file_is_heeded() {
        let file = |alignment: u32| {
            let entry = entry("general.alignment", UINT32, &alignment.to_le_bytes());
            read(&with_data([head(3, 1, 1), entry, tensor("t", &[8], 32)].concat(), 256))
        };
        assert!(file(8).is_ok());
        assert!(file(64).unwrap_err().contains("no multiple of 64"));
        for odd in [0, 48] {
            assert!(file(odd).unwrap_err().contains("not a power of two"));
        }
    }

    #[test]
    fn two_to_the_sixty_tensors_are_refused_by_the_size_of_the_file() {
        let message = read(&[head(3, 1 << 60, 0), vec![0; 100]].concat()).unwrap_err();
        assert!(message.contains("claims 1152921504606846976 tensors") && message.contains("124 bytes"), "{message}");
        assert!(read(&[head(3, 0, 1 << 60), vec![0; 100]].concat()).is_err());
    }

    #[test]
    fn an_array_cannot_claim_more_than_the_file_holds_nor_nest_without_end() {
        let huge = entry("k", ARRAY, &array_of(0, u64::MAX, &[]));
        assert!(read(&[head(3, 0, 1), huge].concat()).unwrap_err().contains("array elements"));
        let nested = (0..1000).fold(array_of(0, 0, &[]), |inner, _| array_of(ARRAY, 1, &inner));
        let nested = entry("k", ARRAY, &nested);
        assert!(read(&[head(3, 0, 1), nested].concat()).unwrap_err().contains("nested deeper"));
    }

    #[test]
    fn another_magic_version_type_or_number_of_dimensions_is_refused() {
        assert!(read(b"GGML....................").unwrap_err().contains("magic"));
        for version in [0, 1, 4, 3_u32.swap_bytes()] {
            assert!(read(&[head(version, 0, 0), vec![0; 64]].concat()).unwrap_err().contains("version"));
        }
        assert!(read(&[head(3, 0, 1), entry("k", 13, &[0; 8])].concat()).unwrap_err().contains("type 13"));
        let flat = tensor("t", &[1; 5], 0);
        assert!(read(&[head(3, 1, 0), flat, vec![0; 64]].concat()).unwrap_err().contains("5 dimensions"));
    }
}
