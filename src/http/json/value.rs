//! JSON text to a value, more strictly than serde_json alone: no name twice in one object, and a number that
//! is out of range is told with its place.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::http::json::{FAULTS_MAX, escaped};
use crate::http::problem::{FieldFault, Kind, Problem};

/// Reads a body.
///
/// # Errors
///
/// `bad-json` when it is no JSON; `invalid` with every name that an object holds twice.
pub(super) fn read(text: &[u8]) -> Result<Value, Problem> {
    let seen = RefCell::new(Seen::default());
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Seed(&seen).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let seen = seen.into_inner();
    match value {
        Ok(value) if seen.faults.is_empty() => Ok(value),
        Ok(_) => Err(Problem::invalid(seen.faults)),
        Err(fault) => {
            // Said by the parser: a place and a word about syntax, nothing of the body itself.
            let detail = fault.to_string();
            let errors = match detail.starts_with("number out of range") {
                true => vec![FieldFault::new(seen.pointer(), "is a number out of range")],
                false => Vec::new(),
            };
            Err(Problem { errors, ..Problem::because(Kind::BadJson, detail) })
        }
    }
}

/// Where the reader is, and what it saw.
#[derive(Default)]
struct Seen {
    path: Vec<String>,
    faults: Vec<FieldFault>,
}

impl Seen {
    fn pointer(&self) -> String {
        self.path.iter().map(|part| format!("/{part}")).collect()
    }

    fn note_repeated(&mut self) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(FieldFault::new(self.pointer(), "is given more than once"));
        }
    }
}

/// Reads one value. When it fails, the path stays where it was.
#[derive(Clone, Copy)]
struct Seed<'s>(&'s RefCell<Seen>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            self.0.borrow_mut().path.push(values.len().to_string());
            let entry = entries.next_element_seed(self)?;
            self.0.borrow_mut().path.pop();
            match entry {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.0.borrow_mut().path.push(escaped(&name));
            if map.contains_key(&name) {
                self.0.borrow_mut().note_repeated();
            }
            let value = members.next_value_seed(self)?;
            self.0.borrow_mut().path.pop();
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, text: &str, expected: &str) {
        let shown = match read(text.as_bytes()) {
            Ok(value) => value.to_string(),
            Err(problem) => {
                let pointers: Vec<String> = problem.errors.into_iter().map(|fault| fault.pointer).collect();
                format!("{} {}", problem.kind.as_str(), pointers.join(" "))
            }
        };
        assert_eq!(shown, expected, "{why}");
    }

    #[test]
    fn text_becomes_a_value_or_a_problem_with_its_place() {
        let all = r#"{"a":[1,-2,1.5,true,null,"x"],"b":{"c":{}}}"#;
        check("every kind of value", all, all);
        check("a name twice", r#"{"a":1,"a":2}"#, "invalid /a");
        check("a name twice, further in", r#"{"a":[{},{"b/~":1,"b/~":1}],"c":1,"c":1}"#, "invalid /a/1/b~1~0 /c");
        check("one name in two objects", r#"{"a":{"b":1},"b":1}"#, r#"{"a":{"b":1},"b":1}"#);
        check("a number too large", r#"{"a":[0,1e400]}"#, "bad-json /a/1");
        check("broken", "{{{", "bad-json ");
        check("something behind", "{} {}", "bad-json ");
        check("too deep", &"[".repeat(100_000), "bad-json ");
    }
}
