//! What holds for every body that is sent: a field that nobody knows is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType, Type};
use utoipa::openapi::{Content, OpenApi, RefOr};

use crate::http::openapi::example;

/// The schemas of a document, by their names.
type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Says so in every schema that a request's body leads to. No answer shares one: readers of answers must pass over
/// fields that they do not know.
pub(super) fn refuse_unknown(api: &OpenApi, schemas: &mut Schemas) {
    let mut names = BTreeSet::new();
    let items = api.paths.paths.values();
    let operations = items.flat_map(|item| [&item.put, &item.patch, &item.post]).flatten();
    for body in operations.filter_map(|operation| operation.request_body.as_ref()) {
        let RefOr::T(body) = body else { continue };
        for content in body.content.values() {
            if let RefOr::T(Content { schema: Some(schema), .. }) = content {
                follow(&serde_json::to_value(schema).unwrap_or_default(), schemas, &mut names);
            }
        }
    }
    for name in names {
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(&name)
            && object.schema_type == SchemaType::Type(Type::Object)
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// Adds the names of all schemas that `schema` leads to.
fn follow(schema: &Value, schemas: &Schemas, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(reference) if member == "$ref" => {
                        let name = example::name(reference);
                        if names.insert(name.to_owned())
                            && let Some(named) = schemas.get(name)
                        {
                            follow(&serde_json::to_value(named).unwrap_or_default(), schemas, names);
                        }
                    }
                    _ => follow(value, schemas, names),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| follow(value, schemas, names)),
        _ => {}
    }
}
