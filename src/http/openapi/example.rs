//! Examples made from schemas: of each field the one that it names, or else one of its type.

use serde_json::{Map, Value, json};

/// How deep bodies are nested. A schema that names itself ends there.
const DEPTH_MAX: u32 = 6;

/// Where schemas are, in a document.
const SCHEMAS: &str = "#/components/schemas/";

/// An example of `schema`; `schemas` are those that it may name.
pub(in crate::http) fn of(schema: &Value, schemas: &Value) -> Value {
    within(schema, schemas, 0)
}

/// The name of the schema that a reference leads to.
pub(in crate::http) fn name(reference: &str) -> &str {
    reference.strip_prefix(SCHEMAS).unwrap_or(reference)
}

fn within(schema: &Value, schemas: &Value, depth: u32) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return schemas.get(name(reference)).map_or(Value::Null, |named| within(named, schemas, depth + 1));
    }
    if let Some(choice) = choice(schema) {
        return within(choice, schemas, depth + 1);
    }
    match kind(schema) {
        "object" => fields(schema, schemas, depth),
        "array" => json!([within(schema.get("items").unwrap_or(&Value::Null), schemas, depth + 1)]),
        "boolean" => Value::Bool(true),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "string" => Value::from(text(schema)),
        _ => Value::Null,
    }
}

/// The first of several schemas that is not null.
pub(in crate::http) fn choice(schema: &Value) -> Option<&Value> {
    let choices = ["oneOf", "anyOf", "allOf"].into_iter().find_map(|word| schema.get(word)?.as_array())?;
    choices.iter().find(|choice| choice.get("type").and_then(Value::as_str) != Some("null"))
}

/// The type of a schema, without null.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ => "",
    }
}

fn fields(schema: &Value, schemas: &Value, depth: u32) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let shown = properties.into_iter().flatten().map(|(name, of)| (name.clone(), within(of, schemas, depth + 1)));
    Value::Object(shown.collect::<Map<String, Value>>())
}

fn text(schema: &Value) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => "0190a6a0-0000-7000-8000-000000000001",
        Some("date-time") => "2027-01-15T08:00:00Z",
        Some("date") => "2027-01-15",
        _ => "…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_an_example_of_its_shape() {
        let schemas = json!({
            "A": {"type": "object", "properties": {
                "id": {"type": "string", "format": "uuid"}, "count": {"type": ["integer", "null"], "minimum": 0},
                "word": {"type": "string", "example": "x"}, "self": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/B"}]},
            }},
            "B": {"type": "object", "properties": {"again": {"type": "array", "items": {"$ref": "#/components/schemas/B"}}}},
        });
        let made = of(&json!({"$ref": "#/components/schemas/A"}), &schemas);
        assert_eq!(made["id"], "0190a6a0-0000-7000-8000-000000000001");
        assert_eq!((&made["count"], &made["word"]), (&json!(0), &json!("x")));
        assert!(made["self"]["again"][0]["again"].is_array(), "a schema that names itself ends: {made}");
    }
}
