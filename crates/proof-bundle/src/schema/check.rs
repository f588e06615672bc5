//! Checks a value against a schema: the part of JSON Schema (draft 2020-12) that the schemas of this project use. A
//! schema with any other keyword is refused, so that none is passed over in silence.

use std::collections::{BTreeMap, HashMap};

use regex_lite::Regex;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Keywords that say nothing of a value.
const ANNOTATIONS: [&str; 5] = ["$schema", "title", "description", "$defs", "x-volatile"];

/// A schema, ready to be applied to many values.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    root: Node,
    definitions: HashMap<String, Node>,
}

/// A schema within the schema: what must hold of a value.
#[derive(Debug, Default)]
struct Node {
    reference: Option<String>,
    types: Vec<String>,
    /// `enum`, and `const` as the only one.
    values: Option<Vec<Value>>,
    properties: BTreeMap<String, Node>,
    required: Vec<String>,
    additional: Additional,
    items: Option<Box<Node>>,
    min_items: usize,
    max_items: Option<usize>,
    min_length: usize,
    minimum: Option<i64>,
    pattern: Option<Pattern>,
    is_date_time: bool,
    condition: Option<Box<Condition>>,
}

/// `pattern`.
#[derive(Debug)]
enum Pattern {
    /// [`SHA256`], which every line of a bundle has: looked at byte by byte, since it is most of the work otherwise.
    Sha256,
    Regex(Regex),
}

/// The pattern of a SHA-256 in lower-case hexadecimal.
const SHA256: &str = "^[0-9a-f]{64}$";

impl Pattern {
    fn new(pattern: &str) -> Option<Self> {
        if pattern == SHA256 { Some(Self::Sha256) } else { Regex::new(pattern).ok().map(Self::Regex) }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Sha256 => text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// `additionalProperties`.
#[derive(Debug, Default)]
enum Additional {
    #[default]
    Any,
    None,
    Some(Box<Node>),
}

/// `if`, `then`, `else`.
#[derive(Debug)]
struct Condition {
    test: Node,
    then: Node,
    otherwise: Node,
}

impl Checker {
    /// Reads a schema; the error names the keyword that this checker does not know or the value that it cannot use.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let definitions = match schema.get("$defs") {
            None => HashMap::new(),
            Some(Value::Object(definitions)) => definitions
                .iter()
                .map(|(name, schema)| Ok((format!("#/$defs/{name}"), Node::new(schema)?)))
                .collect::<Result<_, String>>()?,
            Some(_) => return Err("`$defs` is no object".to_owned()),
        };
        Ok(Self { root: Node::new(schema)?, definitions })
    }

    /// Checks a value; the error is a JSON pointer (RFC 6901) and what is wrong there.
    ///
    /// It goes no deeper than the value, which `serde_json` reads to a depth of 128.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.check_node(&self.root, value).map_err(|fault| {
            let place: String = fault.path.iter().rev().map(|name| format!("/{name}")).collect();
            format!("{}: {}", if place.is_empty() { "/" } else { &place }, fault.problem)
        })
    }

    fn check_node(&self, node: &Node, value: &Value) -> Result<(), Fault> {
        if let Some(reference) = &node.reference {
            let target = self.definitions.get(reference).ok_or_else(|| Fault::new("the schema refers to nothing"))?;
            self.check_node(target, value)?;
        }
        node.check_itself(value)?;
        match value {
            Value::Object(members) => self.check_members(node, members)?,
            Value::Array(items) => {
                if let Some(item) = &node.items {
                    for (index, value) in items.iter().enumerate() {
                        self.check_node(item, value).map_err(|fault| fault.at(index.to_string()))?;
                    }
                }
            }
            _ => {}
        }
        match &node.condition {
            Some(condition) if self.check_node(&condition.test, value).is_ok() => {
                self.check_node(&condition.then, value)
            }
            Some(condition) => self.check_node(&condition.otherwise, value),
            None => Ok(()),
        }
    }

    fn check_members(&self, node: &Node, members: &Map<String, Value>) -> Result<(), Fault> {
        if let Some(missing) = node.required.iter().find(|name| !members.contains_key(*name)) {
            return Err(Fault::new(format!("`{missing}` is missing")));
        }
        for (name, value) in members {
            let schema = match (node.properties.get(name), &node.additional) {
                (Some(schema), _) => schema,
                (None, Additional::Some(schema)) => schema,
                (None, Additional::Any) => continue,
                (None, Additional::None) => {
                    return Err(Fault::new(format!("`{}` is unknown here", name.escape_default())));
                }
            };
            self.check_node(schema, value).map_err(|fault| fault.at(name.escape_default().to_string()))?;
        }
        Ok(())
    }
}

/// What is wrong, and the way to it from the inside out.
struct Fault {
    path: Vec<String>,
    problem: String,
}

impl Fault {
    fn new(problem: impl Into<String>) -> Self {
        Self { path: Vec::new(), problem: problem.into() }
    }

    fn at(mut self, name: String) -> Self {
        self.path.push(name);
        self
    }
}

impl Node {
    fn new(schema: &Value) -> Result<Self, String> {
        let mut node = Self::default();
        let members = match schema {
            Value::Bool(true) => return Ok(node),
            Value::Object(members) => members,
            _ => return Err("a schema is an object or true".to_owned()),
        };
        for (keyword, value) in members {
            let read = match keyword.as_str() {
                "if" | "then" | "else" => Some(()),
                annotation if ANNOTATIONS.contains(&annotation) => Some(()),
                _ => node.read(keyword, value)?,
            };
            read.ok_or_else(|| format!("the keyword `{keyword}` with this value is unknown to the checker: {value}"))?;
        }
        if let Some(test) = members.get("if") {
            let branch = |name: &str| members.get(name).map_or_else(|| Ok(Self::default()), Self::new);
            node.condition =
                Some(Box::new(Condition { test: Self::new(test)?, then: branch("then")?, otherwise: branch("else")? }));
        }
        Ok(node)
    }

    /// Takes a keyword in; `None` when it is unknown, or its value is.
    fn read(&mut self, keyword: &str, value: &Value) -> Result<Option<()>, String> {
        let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        Ok(match keyword {
            "$ref" => value.as_str().map(|reference| self.reference = Some(reference.to_owned())),
            "type" => match value {
                Value::String(one) => Some(vec![one.clone()]),
                other => texts(other),
            }
            .map(|types| self.types = types),
            "enum" => value.as_array().map(|values| self.values = Some(values.clone())),
            "const" => {
                self.values = Some(vec![value.clone()]);
                Some(())
            }
            "required" => texts(value).map(|names| self.required = names),
            "properties" => match value {
                Value::Object(properties) => {
                    for (name, schema) in properties {
                        self.properties.insert(name.clone(), Self::new(schema)?);
                    }
                    Some(())
                }
                _ => None,
            },
            "additionalProperties" => {
                self.additional = match value {
                    Value::Bool(false) => Additional::None,
                    schema => Additional::Some(Box::new(Self::new(schema)?)),
                };
                Some(())
            }
            "items" => {
                self.items = Some(Box::new(Self::new(value)?));
                Some(())
            }
            "minItems" => count(value).map(|least| self.min_items = least),
            "maxItems" => count(value).map(|most| self.max_items = Some(most)),
            "minLength" => count(value).map(|least| self.min_length = least),
            "minimum" => value.as_i64().map(|least| self.minimum = Some(least)),
            "pattern" => value.as_str().and_then(Pattern::new).map(|pattern| self.pattern = Some(pattern)),
            "format" if value == "date-time" => {
                self.is_date_time = true;
                Some(())
            }
            _ => None,
        })
    }

    /// Checks what the keywords say of the value without what is in it.
    fn check_itself(&self, value: &Value) -> Result<(), Fault> {
        if !self.types.is_empty() && !self.types.iter().any(|name| is_of(value, name)) {
            return Err(Fault::new(format!("it is not of type {}", self.types.join(" or "))));
        }
        if self.values.as_ref().is_some_and(|values| !values.contains(value)) {
            return Err(Fault::new("it is none of the values that may stand here"));
        }
        match value {
            Value::String(text) => self.check_text(text),
            Value::Array(items) if items.len() < self.min_items => Err(Fault::new("it has too few items")),
            Value::Array(items) if self.max_items.is_some_and(|most| items.len() > most) => {
                Err(Fault::new("it has too many items"))
            }
            Value::Number(number) => match self.minimum {
                // A number that is no i64 is beyond it on one side or the other.
                Some(least) if !number.is_u64() && number.as_i64().is_none_or(|number| number < least) => {
                    Err(Fault::new(format!("it is less than {least}")))
                }
                Some(least) if number.as_i64().is_some_and(|number| number < least) => {
                    Err(Fault::new(format!("it is less than {least}")))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), Fault> {
        if self.min_length > 0 && text.chars().take(self.min_length).count() < self.min_length {
            return Err(Fault::new("it is too short"));
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(text)) {
            return Err(Fault::new("it does not have the form that it should"));
        }
        if self.is_date_time && OffsetDateTime::parse(text, &Rfc3339).is_err() {
            return Err(Fault::new("it is no time in the form of RFC 3339"));
        }
        Ok(())
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
        Value::Number(number) => name == "number" || (name == "integer" && (number.is_u64() || number.is_i64())),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
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
    use serde_json::json;

    use super::*;

    fn outcome(schema: Value, value: Value) -> Result<(), String> {
        Checker::new(&schema).unwrap().check(&value)
    }

    #[test]
    fn each_keyword_accepts_what_it_should_and_refuses_the_rest() {
        for (schema, good, bad) in [
            (json!({"type": "integer"}), json!(1), json!(1.5)),
            (json!({"type": ["string", "null"]}), json!(null), json!(1)),
            (json!({"enum": ["a", null]}), json!(null), json!("b")),
            (json!({"const": 1}), json!(1), json!("1")),
            (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"b": 1}), json!({"a": 1})),
            (json!({"properties": {"a": {}}, "additionalProperties": false}), json!({"a": 1}), json!({"b": 1})),
            (json!({"additionalProperties": {"type": "string"}}), json!({"a": ""}), json!({"a": 1})),
            (json!({"items": {"type": "boolean"}}), json!([true]), json!([true, 1])),
            (json!({"minItems": 1}), json!([1]), json!([])),
            (json!({"maxItems": 0}), json!([]), json!([1])),
            (json!({"minLength": 2}), json!("§a"), json!("§")),
            (json!({"minimum": 1}), json!(u64::MAX), json!(0)),
            (json!({"minimum": 0}), json!(0), json!(-1)),
            (json!({"pattern": "^[a-f]{2}$"}), json!("ab"), json!("abc")),
            (json!({"pattern": SHA256}), json!("0f".repeat(32)), json!("0F".repeat(32))),
            (json!({"pattern": SHA256}), json!("0".repeat(64)), json!(format!("{}\n", "0".repeat(64)))),
            (json!({"format": "date-time"}), json!("2026-01-02T03:04:05.6Z"), json!("2026-01-02")),
            (json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}), json!(null), json!(1)),
            (
                json!({"if": {"const": 1}, "then": {"type": "string"}, "else": {"type": "boolean"}}),
                json!(true),
                json!(1),
            ),
        ] {
            assert_eq!(outcome(schema.clone(), good), Ok(()), "{schema}");
            assert!(outcome(schema.clone(), bad).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let schema = json!({"properties": {"a": {"items": {"required": ["b"]}}}});
        assert_eq!(outcome(schema, json!({"a": [{"b": 1}, {}]})), Err("/a/1: `b` is missing".to_owned()));
    }

    #[test]
    fn a_keyword_that_nobody_checks_is_refused() {
        for schema in [json!({"maxLength": 3}), json!({"items": {"oneOf": []}}), json!({"format": "uri"}), json!(1)] {
            assert!(Checker::new(&schema).is_err(), "{schema}");
        }
    }
}
