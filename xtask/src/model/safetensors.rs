//! The header of a safetensors file: an 8-byte little-endian length, then that many bytes of JSON, then the tensors' data
//! without a gap. <https://huggingface.co/docs/safetensors#format>

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Seek};

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{Counted, Format, clipped};

/// The longest header that the reference implementation accepts, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// The member that holds free text instead of a tensor.
const METADATA: &str = "__metadata__";

/// What the header says of one tensor.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The tensors of a header; a name that comes twice is an error.
struct Tensors(Vec<(String, Tensor)>);

/// Reads a header and checks that the tensors fill the rest of the file exactly.
pub(super) fn parse<R: Read + Seek>(input: &mut Counted<R>) -> Result<Format, String> {
    let length = u64::from_le_bytes(input.take_array()?);
    if length > LONGEST_HEADER {
        return Err(format!("claims a header of {length} bytes, more than {LONGEST_HEADER}: not a safetensors file"));
    }
    input.need(length)?;
    let data_bytes = input.left().saturating_sub(length);
    let header = input.inner.by_ref().take(length);
    let Tensors(mut tensors) = serde_json::from_reader(header).map_err(|error| {
        // It may repeat a value of the file's, however long.
        let error: String = error.to_string().chars().take(200).collect();
        format!("has a malformed safetensors header: {error}; fetch the file again")
    })?;
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut filled = 0_u64;
    for (name, tensor) in &tensors {
        let (begin, end) = tensor.data_offsets;
        let name = clipped(name.as_bytes());
        if begin != filled || end < begin || end > data_bytes {
            return Err(format!(
                "is truncated or malformed: tensor {name} claims the bytes {begin} to {end} of {data_bytes}, where {filled} \
                 comes next; fetch the file again"
            ));
        }
        if tensor.bytes() != end.checked_sub(begin) {
            return Err(format!(
                "is malformed: tensor {name} of type {} and {} dimensions does not take the bytes {begin} to {end}",
                clipped(tensor.dtype.as_bytes()),
                tensor.shape.len()
            ));
        }
        filled = end;
    }
    if filled != data_bytes {
        return Err(format!("has {data_bytes} bytes of data, and its tensors take {filled}: fetch the file again"));
    }
    let tensors = u64::try_from(tensors.len()).unwrap_or(u64::MAX);
    Ok(Format::Safetensors { tensors, header_bytes: length.saturating_add(8) })
}

impl Tensor {
    /// The size that type and shape ask for; `None` when the type is unknown or the product overflows.
    fn bytes(&self) -> Option<u64> {
        let bits: u64 = match self.dtype.as_str() {
            "F4" => 4,
            "F6_E2M3" | "F6_E3M2" => 6,
            "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
            "U16" | "I16" | "F16" | "BF16" => 16,
            "U32" | "I32" | "F32" => 32,
            "U64" | "I64" | "F64" | "C64" => 64,
            _ => return None,
        };
        let bits = self.shape.iter().try_fold(bits, |product, extent| product.checked_mul(*extent))?;
        (bits.checked_rem(8) == Some(0)).then(|| bits.checked_div(8)).flatten()
    }
}

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Tensors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a member for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
        let mut names = BTreeSet::new();
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("the name {} comes twice", clipped(name.as_bytes()))));
            }
            if name == METADATA {
                map.next_value::<std::collections::BTreeMap<String, String>>()?;
            } else {
                tensors.push((name, map.next_value()?));
            }
        }
        Ok(Tensors(tensors))
    }
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

    fn file(header: &str, data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![7; data]].concat()
    }

    fn read(bytes: &[u8]) -> Result<Format, String> {
        parse(&mut Counted::new(Cursor::new(bytes), bytes.len() as u64))
    }

    const GOOD: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},"a":{"dtype":"F16","shape":[1,3],"data_offsets":[0,6]}}   "#;

    #[test]
    fn a_sound_header_is_counted_in_whatever_order_its_tensors_stand() {
        let expected = Format::Safetensors { tensors: 2, header_bytes: 8 + GOOD.len() as u64 };
        assert_eq!(read(&file(GOOD, 14)), Ok(expected));
        assert_eq!(read(&file("{}", 0)), Ok(Format::Safetensors { tensors: 0, header_bytes: 10 }));
    }

    #[test]
    fn every_truncation_of_a_sound_file_is_refused() {
        let whole = file(GOOD, 14);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        assert!(read(&file(GOOD, 15)).is_err(), "and so is a byte too many");
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let tensor = |shape: &str, offsets: &str| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        for (header, data) in [
            (tensor("[2]", "[0,4]"), 4),
            (tensor("[1]", "[4,8]"), 8),
            (tensor("[1]", "[8,4]"), 8),
            (tensor("[18446744073709551615,2]", "[0,4]"), 4),
            (tensor("[-1]", "[0,4]"), 4),
            (tensor("[1]", "[0,4]").replace("F32", "Q32"), 4),
            (
                tensor("[1]", "[0,4]")
                    .replace(r#"{"a""#, r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a""#),
                4,
            ),
            ("[]".into(), 0),
            ("not json".into(), 0),
        ] {
            assert!(read(&file(&header, data)).is_err(), "{header}");
        }
    }

    #[test]
    fn a_long_name_or_type_is_not_echoed_whole() {
        let long = "n".repeat(100_000);
        let header = format!(r#"{{"{long}":{{"dtype":"{long}","shape":[1],"data_offsets":[0,4]}}}}"#);
        let message = read(&file(&header, 4)).unwrap_err();
        assert!(message.len() < 400 && message.contains("nnn"), "{message}");
        let message = read(&file(&format!(r#"{{"a":{{"shape":"{long}"}}}}"#), 0)).unwrap_err();
        assert!(message.len() < 400 && message.contains("nnn"), "{message}");
        let tensor = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let message = read(&file(&format!(r#"{{"{long}":{tensor},"{long}":{tensor}}}"#), 4)).unwrap_err();
        assert!(message.len() < 400 && message.contains("comes twice"), "{message}");
    }

    #[test]
    fn a_huge_header_length_is_refused_before_anything_is_read() {
        let mut bytes = file("{}", 0);
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let message = read(&bytes).unwrap_err();
        assert!(message.contains("claims a header of 18446744073709551615 bytes"), "{message}");
    }
}
