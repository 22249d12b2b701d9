//! The encoding and the hashes are what an implementation beside ours says (`tests/vectors/canon.json`).

use serde_json::Value;
use uuid::Uuid;

use super::{ContentHasher, Encoder, IdentityHasher, canonical_json, decode, encode};
use crate::model::{Datum, Interval, TenantId, Tick, Unreal};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn tick(text: &str) -> Tick {
    let at = text.parse::<chrono::NaiveDateTime>().unwrap().and_utc();
    Tick { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() }
}

fn datum(value: &Value) -> Datum {
    let Value::Object(said) = value else { return Datum::Null };
    let (kind, said) = said.iter().next().unwrap();
    let text = || said.as_str().unwrap();
    let members = || said.as_array().unwrap().iter().map(datum).collect();
    match kind.as_str() {
        "boolean" => Datum::Boolean(said.as_bool().unwrap()),
        "integer" => Datum::Integer(text().parse().unwrap()),
        "decimal" => Datum::Decimal(text().parse().unwrap()),
        "float" => Datum::float(text().parse().unwrap()),
        "text" => Datum::Text(text().into()),
        "bytes" => Datum::Bytes(bytes(text())),
        "uuid" => Datum::Uuid(text().parse().unwrap()),
        "date" => Datum::Date(match said.as_i64() {
            Some(days) => i32::try_from(days).unwrap(),
            None => i32::try_from(tick(&format!("{}T00:00:00", text())).seconds / 86_400).unwrap(),
        }),
        "time" => Datum::Time(text().parse().unwrap()),
        "timestamp" => Datum::Timestamp(tick(&text().replace(' ', "T"))),
        "instant" => Datum::Instant(tick(&text().replace(' ', "T"))),
        "unreal" => Datum::Unreal(match text() {
            "endless date" => Unreal::EndlessDate,
            "beginningless date" => Unreal::BeginninglessDate,
            "endless time" => Unreal::EndlessTime,
            "beginningless time" => Unreal::BeginninglessTime,
            "zero date" => Unreal::ZeroDate,
            "zero time" => Unreal::ZeroTime,
            name => panic!("{name}"),
        }),
        "interval" => {
            let part = |at: usize| said[at].as_str().unwrap().parse::<i128>().unwrap();
            let (months, days) = (i32::try_from(part(0)).unwrap(), i32::try_from(part(1)).unwrap());
            Datum::Interval(Interval { months, days, nanos: part(2) })
        }
        "json" => Datum::Json(canonical_json(text()).unwrap()),
        "list" => Datum::List(members()),
        "set" => Datum::Set(members()),
        kind => panic!("{kind}"),
    }
}

fn id(vector: &Value, field: &str) -> Uuid {
    vector[field].as_str().unwrap().parse().unwrap()
}

fn hash_of(vector: &Value) -> super::RowHash {
    if vector["of"] == "identity" {
        let key = vector["key"].as_array().unwrap();
        let columns = u32::try_from(key.len()).unwrap();
        let hasher = IdentityHasher::new(TenantId(id(vector, "tenant")), id(vector, "definition"), columns);
        return hasher.hash(&key.iter().map(datum).flat_map(|value| encode(&value)).collect::<Vec<_>>());
    }
    let mut fields: Vec<_> = vector["fields"].as_object().unwrap().iter().collect();
    fields.sort_by_key(|(name, _)| name.as_bytes());
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let mut encoder = Encoder::default();
    fields.iter().for_each(|(_, value)| encoder.datum(&datum(value)));
    ContentHasher::new(&names).unwrap().hash(encoder.as_bytes())
}

#[test]
fn the_vectors_hold() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../../tests/vectors/canon.json")).unwrap();
    assert!(vectors.len() > 100, "{}", vectors.len());
    for vector in vectors {
        if vector["of"] == "value" {
            let (value, want) = (datum(&vector["value"]), bytes(vector["hex"].as_str().unwrap()));
            assert_eq!(encode(&value), want, "{vector}");
            assert_eq!(encode(&decode(&want).unwrap()), want, "{vector}");
        } else {
            assert_eq!(hash_of(&vector).to_vec(), bytes(vector["hash"].as_str().unwrap()), "{vector}");
        }
    }
}
