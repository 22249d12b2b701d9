use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn canonical(text: &str) -> String {
    canonical_json(text).unwrap()
}

/// RFC 8785 sections 3.2.2 and 3.2.3, its number of 17 digits (see below) left out.
#[test]
fn the_examples_of_the_rfc_hold() {
    let given = r#"{
        "numbers": [1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let want = "{\"literals\":[null,true,false],\"numbers\":[1e+30,4.5,0.002,1e-27],\
                \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(canonical(given), want);
    let given = r#"{
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let order = ["Carriage Return", "One", "Control", "Latin Small", "Euro Sign", "Emoji", "Hebrew"];
    let places: Vec<_> = order.iter().map(|name| canonical(given).find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{}", canonical(given));
}

/// RFC 8785 appendix B, by the bits of the doubles.
#[test]
fn numbers_are_laid_out_as_in_the_rfc() {
    let samples: &[(u64, &str)] = &[
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ];
    for (bits, want) in samples {
        let number = Decimal::of_float(f64::from_bits(*bits)).unwrap();
        assert_eq!(ecmascript(&number), *want);
        assert_eq!(canonical(want), *want);
    }
}

#[test]
fn numbers_keep_their_digits_and_have_one_form() {
    for (given, want) in [
        ("9007199254740993", "9007199254740993"),
        ("333333333.33333329", "333333333.33333329"),
        ("123456789012345678901234567890", "1.2345678901234567890123456789e+29"),
        ("-0.0", "0"),
        ("1.00", "1"),
        ("10e-1", "1"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
    ] {
        assert_eq!(canonical(given), want);
    }
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    assert_eq!(canonical(r#"{"a":1,"b":2,"\u0061":3}"#), r#"{"a":3,"b":2}"#);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(canonical_json(&nested(128)).is_ok());
    for deep in [nested(129), "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
        assert_eq!(canonical_json(&deep).unwrap_err().code(), Code::Invalid);
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for wrong in [
        "",
        " ",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "tru",
        "nul",
        "NaN",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1,}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\ä\"",
        "\"\n\"",
        "\"\\ud800\"",
        "1 1",
        "[",
        "1e99999999999",
        "\u{feff}1",
    ] {
        assert_eq!(canonical_json(wrong).unwrap_err().code(), Code::Invalid, "{wrong}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(".{0,3}", inner, 0..5).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    /// Another implementation agrees on everything that is a double.
    #[test]
    fn doubles_have_the_form_of_the_rfc(document in any_json()) {
        let want = serde_json_canonicalizer::to_string(&document).unwrap();
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(canonical(&pretty), want.clone());
        prop_assert_eq!(canonical(&want), want);
    }

    #[test]
    fn no_text_is_more_than_refused(text in "[\\[\\]{}\",:\\\\a-fu0-9.e+\\- ä]{0,24}") {
        // What one reader takes the other takes too; only the range of numbers differs.
        if !text.contains('e') {
            prop_assert_eq!(canonical_json(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok());
        }
        if let Ok(form) = canonical_json(&text) {
            prop_assert_eq!(canonical(&form), form);
        }
    }
}
