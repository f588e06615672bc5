//! Text of any length, from a handle or about every shard of a device, cut to what an error or an event needs of it.

pub(crate) fn clipped(text: &str) -> String {
    const CHARACTERS: usize = 400;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
