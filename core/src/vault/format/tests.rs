//! The vectors, and what must never open.

use proptest::prelude::*;

use super::*;
use crate::vault::Argon2Cost;
use crate::vault::key::{KeySource, argon2id};

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/sealed.json")).unwrap()
}

fn group(name: &str) -> Vec<serde_json::Value> {
    vectors()[name].as_array().unwrap().clone()
}

fn text<'v>(vector: &'v serde_json::Value, name: &str) -> &'v str {
    vector[name].as_str().unwrap()
}

fn bytes(vector: &serde_json::Value, name: &str) -> Vec<u8> {
    let hex = text(vector, name);
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn number(vector: &serde_json::Value, name: &str) -> u32 {
    u32::try_from(vector[name].as_u64().unwrap()).unwrap()
}

fn tenant(vector: &serde_json::Value) -> TenantId {
    TenantId(text(vector, "tenant").parse().unwrap())
}

fn row(vector: &serde_json::Value) -> Value {
    match vector["row"].as_i64() {
        Some(number) => Value::Int(number),
        None => Value::Uuid(text(vector, "row").parse().unwrap()),
    }
}

#[test]
fn the_vectors_of_sealed_values_hold_in_both_directions() {
    for vector in group("sealed") {
        let (key, row) = (SecretBytes::from(bytes(&vector, "key")), row(&vector));
        let place = SecretPlace { table: text(&vector, "table"), row: &row, column: text(&vector, "column") };
        let plain = SecretBytes::from(bytes(&vector, "plain"));
        let nonce = bytes(&vector, "nonce").try_into().unwrap();
        let stored = bytes(&vector, "sealed");
        let sealed = seal(&key, number(&vector, "generation"), nonce, tenant(&vector), &place, &plain).unwrap();
        assert_eq!(sealed, stored, "{}", vector["name"]);
        assert_eq!(generation(&place, &stored).unwrap(), number(&vector, "generation"));
        assert_eq!(open(&key, tenant(&vector), &place, &stored).unwrap(), plain, "{}", vector["name"]);
    }
}

#[test]
fn the_vectors_of_wrapped_keys_hold_in_both_directions() {
    for vector in group("wrapped") {
        let of = KeyUse { tenant: tenant(&vector), generation: number(&vector, "generation") };
        let context = context(text(&vector, "key_id").parse().unwrap(), of);
        let (key, stored) = (SecretBytes::from(bytes(&vector, "key")), bytes(&vector, "wrapped"));
        match parse_wrapped(&stored).unwrap() {
            Wrapped::ByKey { nonce, ciphertext, tag } => {
                let by = SecretBytes::from(bytes(&vector, "by"));
                assert_eq!(nonce.to_vec(), bytes(&vector, "nonce"));
                assert_eq!(wrap(&by, nonce, &context, &key).unwrap(), stored, "{}", vector["name"]);
                assert_eq!(unwrap(&by, &context, nonce, ciphertext, tag).unwrap(), Some(key));
                assert_eq!(unwrap(&by, b"another context", nonce, ciphertext, tag).unwrap(), None);
            }
            Wrapped::ByHost { commitment, key_id, bytes: given } => {
                assert_eq!((key_id, given.to_vec()), (text(&vector, "host_key"), bytes(&vector, "given")));
                assert_eq!(wrapped_by_host(&key, &context, key_id, given).unwrap(), stored, "{}", vector["name"]);
                assert!(is_committed(&key, &context, &commitment));
                assert!(!is_committed(&key, b"another context", &commitment));
                assert!(!is_committed(&SecretBytes::zeroed(KEY), &context, &commitment));
                assert!(!is_committed(&SecretBytes::zeroed(KEY - 1), &context, &commitment));
            }
        }
    }
}

#[test]
fn the_vectors_of_passphrases_hold() {
    for vector in group("passphrases") {
        let cost = Argon2Cost {
            memory_kib: number(&vector, "memory_kib"),
            passes: number(&vector, "passes"),
            lanes: number(&vector, "lanes"),
        };
        let passphrase = SecretBytes::from(text(&vector, "passphrase"));
        let key = argon2id(&passphrase, &bytes(&vector, "salt"), cost).unwrap();
        assert_eq!(key, SecretBytes::from(bytes(&vector, "key")));
    }
}

#[test]
fn the_cost_of_a_passphrase_has_bounds() {
    let costly = |memory_kib, passes, lanes| {
        KeySource::costly_passphrase("p".into(), Argon2Cost { memory_kib, passes, lanes }).map_err(|e| e.code()).is_ok()
    };
    assert!(costly(19_456, 2, 1) && costly(1 << 20, 64, 16));
    assert!(!costly(19_455, 2, 1) && !costly(19_456, 1, 1) && !costly(19_456, 2, 0));
    assert!(!costly((1 << 20) + 1, 2, 1) && !costly(19_456, 65, 1) && !costly(19_456, 2, 17));
    assert!(KeySource::passphrase("".into()).is_err());
    assert!(KeySource::passphrase(vec![0xff].into()).is_err());
    assert!(KeySource::raw(vec![7; 31].into()).is_err() && KeySource::raw(vec![7; 33].into()).is_err());
}

#[test]
fn no_debug_of_a_key_source_shows_a_key() {
    let sources = [KeySource::raw(vec![104; 32].into()), KeySource::passphrase("hhhhhhhh".into())];
    for source in sources {
        let shown = format!("{source:?}", source = source.unwrap());
        assert!(!shown.contains("hhh") && !shown.contains("104"), "{shown}");
    }
}

fn sealed_for(row: &Value) -> (SecretBytes, TenantId, Vec<u8>) {
    let (key, tenant) = (SecretBytes::from(vec![7; KEY]), TenantId(Uuid::from_u128(1)));
    let place = SecretPlace { table: "t", row, column: "c" };
    let sealed = seal(&key, 1, [9; NONCE], tenant, &place, &"secret".into()).unwrap();
    (key, tenant, sealed)
}

#[test]
fn no_flipped_bit_and_no_shortened_value_opens() {
    let row = Value::Int(1);
    let (key, tenant, sealed) = sealed_for(&row);
    let place = SecretPlace { table: "t", row: &row, column: "c" };
    for i in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[i] ^= 1 << bit;
            let code = open(&key, tenant, &place, &flipped).unwrap_err().code();
            assert!(code == Code::Corrupt || (i == 0 && code == Code::Newer), "byte {i}, bit {bit}: {code:?}");
        }
        assert_eq!(open(&key, tenant, &place, &sealed[..i]).unwrap_err().code(), Code::Corrupt, "{i} bytes");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(open(&key, tenant, &place, &longer).unwrap_err().code(), Code::Corrupt);
}

#[test]
fn a_value_opens_at_its_place_only() {
    let row = Value::Int(1);
    let (key, tenant, sealed) = sealed_for(&row);
    let opens =
        |tenant, table, row: &Value, column| open(&key, tenant, &SecretPlace { table, row, column }, &sealed).is_ok();
    assert!(opens(tenant, "t", &row, "c"));
    assert!(!opens(TenantId(Uuid::from_u128(2)), "t", &row, "c"));
    assert!(!opens(tenant, "u", &row, "c"));
    assert!(!opens(tenant, "t", &row, "d"));
    // Nothing that only looks alike: other types, and names that end elsewhere.
    for other in [Value::Int(2), Value::Blob(1_i64.to_be_bytes().to_vec()), Value::Text("1".into())] {
        assert!(!opens(tenant, "t", &other, "c"), "{other:?}");
    }
    assert!(!opens(tenant, "", &row, "tc") && !opens(tenant, "tc", &row, ""));
}

#[test]
fn an_id_is_the_same_row_as_its_bytes() {
    let id = Uuid::from_u128(5);
    let (key, tenant, sealed) = sealed_for(&Value::Uuid(id));
    let row = Value::Blob(id.as_bytes().to_vec());
    assert!(open(&key, tenant, &SecretPlace { table: "t", row: &row, column: "c" }, &sealed).is_ok());
}

#[test]
fn an_error_names_the_place_and_no_secret() {
    let row = Value::Int(41);
    let place = SecretPlace { table: "ftp_endpoints", row: &row, column: "password" };
    let error = open(&vec![0; KEY].into(), TenantId(Uuid::nil()), &place, &[1; 60]).unwrap_err().to_string();
    assert!(error.contains("ftp_endpoints.password of row 41"), "{error}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_never_open(mut bytes in prop::collection::vec(any::<u8>(), 0..200), known: bool) {
        if let (true, Some(first)) = (known, bytes.first_mut()) {
            *first = 1 + *first % 2;
        }
        let row = Value::Int(1);
        let place = SecretPlace { table: "t", row: &row, column: "c" };
        prop_assert!(open(&vec![7; KEY].into(), TenantId(Uuid::nil()), &place, &bytes).is_err());
        let _ = parse_wrapped(&bytes);
    }

    #[test]
    fn what_is_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..300), id: i64, table: String, column: String) {
        let (key, tenant, row) = (SecretBytes::from(vec![7; KEY]), TenantId(Uuid::from_u128(3)), Value::Int(id));
        let place = SecretPlace { table: &table, row: &row, column: &column };
        let plain = SecretBytes::from(plain);
        let sealed = seal(&key, 3, [1; NONCE], tenant, &place, &plain).unwrap();
        prop_assert_eq!(sealed.len(), plain.expose().len() + 45);
        prop_assert_eq!(open(&key, tenant, &place, &sealed).unwrap(), plain);
    }
}
