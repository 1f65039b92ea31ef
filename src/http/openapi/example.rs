//! Examples made from schemas: of each field the one that it names, or else one of its type.

use serde_json::{Map, Value, json};

/// How deep bodies are nested. A schema that names itself ends there.
const DEPTH_MAX: u32 = 6;

/// Where schemas are, in a document.
const SCHEMAS: &str = "#/components/schemas/";

/// An example of `schema`; `schemas` are those that it may name.
pub(in crate::http) fn of(schema: &Value, schemas: &Value) -> Value {
    within(schema, &Made { schemas, needed_only: false }, 0)
}

/// The same for a body that is sent: fields that may be left out, and of which nobody says how they look, are left out.
pub(in crate::http) fn of_request(schema: &Value, schemas: &Value) -> Value {
    within(schema, &Made { schemas, needed_only: true }, 0)
}

/// How examples are made.
struct Made<'m> {
    schemas: &'m Value,
    needed_only: bool,
}

/// The name of the schema that a reference leads to.
pub(in crate::http) fn name(reference: &str) -> &str {
    reference.strip_prefix(SCHEMAS).unwrap_or(reference)
}

fn within(schema: &Value, made: &Made<'_>, depth: u32) -> Value {
    let shown = schema.get("example").or_else(|| schema.get("examples")?.get(0));
    if let Some(example) = shown {
        return example.clone();
    }
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return made.schemas.get(name(reference)).map_or(Value::Null, |named| within(named, made, depth + 1));
    }
    if let Some(choice) = choice(schema) {
        return within(choice, made, depth + 1);
    }
    match kind(schema) {
        "object" => fields(schema, made, depth),
        "array" => json!([within(schema.get("items").unwrap_or(&Value::Null), made, depth + 1)]),
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

fn fields(schema: &Value, made: &Made<'_>, depth: u32) -> Value {
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
    };
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let shown = properties.filter(|(name, of)| !made.needed_only || required(name) || is_shown(of, made.schemas));
    Value::Object(shown.map(|(name, of)| (name.clone(), within(of, made, depth + 1))).collect::<Map<String, Value>>())
}

/// Whether somebody says how a field looks: itself, or the schema that it leads to.
fn is_shown(field: &Value, schemas: &Value) -> bool {
    let of = choice(field).or_else(|| field.get("items")).unwrap_or(field);
    let named = of.get("$ref").and_then(Value::as_str).and_then(|reference| schemas.get(name(reference)));
    field.get("example").is_some() || named.is_some()
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
        let sent = of_request(&json!({"$ref": "#/components/schemas/A"}), &schemas);
        assert_eq!(sent["word"], "x");
        assert_eq!((sent.get("id"), sent.get("count")), (None, None), "nobody needs them");
        assert!(made["self"]["again"].is_array(), "a schema that names itself ends: {made}");
    }
}
