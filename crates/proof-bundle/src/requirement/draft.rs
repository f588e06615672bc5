//! One requirement while it is being read.

use super::{Kind, Requirement, normalise, text_sha256};

/// A requirement being read.
pub(super) struct Draft {
    pub(super) line: usize,
    id: String,
    title: String,
    section: String,
    text: String,
    kind: Option<Kind>,
    needs_gpu: Option<bool>,
    named_tests: Vec<String>,
    non_claims: Vec<String>,
    in_fields: bool,
}

impl Draft {
    /// A requirement whose heading was just read.
    pub(super) fn new(line: usize, id: &str, title: &str, section: &str) -> Self {
        Self {
            line,
            id: id.to_owned(),
            title: normalise(title),
            section: section.to_owned(),
            text: String::new(),
            kind: None,
            needs_gpu: None,
            named_tests: Vec::new(),
            non_claims: Vec::new(),
            in_fields: false,
        }
    }

    /// Reads a line that is not empty and no heading.
    pub(super) fn read(&mut self, line: &str) -> Result<(), String> {
        match line.strip_prefix("- ") {
            Some(field) => {
                self.in_fields = true;
                self.read_field(field)
            }
            None if self.in_fields => {
                Err(format!("text after the fields of {}: prose stands under a `## ` heading", self.id))
            }
            None => {
                self.text.push_str(line);
                self.text.push('\n');
                Ok(())
            }
        }
    }

    fn read_field(&mut self, field: &str) -> Result<(), String> {
        let (name, value) =
            field.split_once(": ").ok_or_else(|| format!("write the field of {} as `- Name: value`", self.id))?;
        let value = value.trim();
        match name {
            "Kind" if self.kind.is_none() => {
                self.kind = Some(match value {
                    "product" => Kind::Product,
                    "process" => Kind::Process,
                    _ => return Err(format!("kind `{value}` of {} is unknown: use product or process", self.id)),
                });
            }
            "Needs a GPU" if self.needs_gpu.is_none() => {
                self.needs_gpu = Some(match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(format!("`Needs a GPU: {value}` of {}: use yes or no", self.id)),
                });
            }
            "Named test" if self.named_tests.is_empty() => {
                for name in value.split(',') {
                    let name = name.trim().strip_prefix('`').and_then(|name| name.strip_suffix('`'));
                    match name {
                        Some(name) if !name.is_empty() => self.named_tests.push(name.to_owned()),
                        _ => return Err(format!("write the named tests of {} as `` `name`, `name` ``", self.id)),
                    }
                }
            }
            "Not claimed" if !value.is_empty() => self.non_claims.push(normalise(value)),
            "Kind" | "Needs a GPU" | "Named test" => return Err(format!("{} has `{name}` twice", self.id)),
            _ => {
                return Err(format!(
                    "`{name}` of {} is no field: use Kind, Needs a GPU, Named test, Not claimed",
                    self.id
                ));
            }
        }
        Ok(())
    }

    /// The requirement, if it is complete.
    pub(super) fn finish(self, document: &str) -> Result<Requirement, String> {
        let id = self.id;
        let text = normalise(&self.text);
        if text.is_empty() {
            return Err(format!("{id} has no text"));
        }
        if !["MUST", "SHOULD", "MAY"].iter().any(|keyword| text.split(' ').any(|word| word == *keyword)) {
            return Err(format!("the text of {id} has no MUST, SHOULD or MAY (RFC 2119)"));
        }
        if self.non_claims.is_empty() {
            return Err(format!("{id} has no `- Not claimed: …` line"));
        }
        Ok(Requirement {
            document: document.to_owned(),
            section: self.section,
            title: self.title,
            text_sha256: text_sha256(&text),
            text,
            kind: self.kind.ok_or_else(|| format!("{id} has no `- Kind: …` line"))?,
            needs_gpu: self.needs_gpu.ok_or_else(|| format!("{id} has no `- Needs a GPU: …` line"))?,
            named_tests: self.named_tests,
            non_claims: self.non_claims,
            id,
        })
    }
}
