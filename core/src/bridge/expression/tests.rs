use proptest::prelude::*;

use super::*;
use crate::bridge::show_key;
use crate::bridge::written::{read_date, read_instant};

fn now() -> Tick {
    read_instant("2026-11-22T10:00:00Z").unwrap()
}

/// The row of docs/expressions.md.
fn row(column: &str) -> Option<Datum> {
    Some(match column {
        "name" => Datum::Text("  Hamburg ".into()),
        "code" => Datum::Text("ham".into()),
        "status" => Datum::Text("A".into()),
        "note" => Datum::Null,
        "berths" => Datum::Integer(320),
        "price" => Datum::Decimal("1234.5".parse().unwrap()),
        "opened" => Datum::Date(read_date("1189-05-07").unwrap()),
        "checked_at" => Datum::Instant(read_instant("2026-10-25T08:30:00Z").unwrap()),
        "is_open" => Datum::Boolean(true),
        "unit price" => Datum::Decimal("0.125".parse().unwrap()),
        _ => return None,
    })
}

#[test]
fn the_document_says_what_is() {
    let document = include_str!("../../../../docs/expressions.md");
    let examples: Vec<_> = document.lines().filter_map(|line| line.split_once('→')).collect();
    assert!(examples.len() > 60, "{}", examples.len());
    for (text, want) in examples {
        let (text, want) = (text.trim_end(), want.trim());
        if let Some(why) = want.strip_prefix("refused: ") {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            continue;
        }
        let expression = Expression::parse(text).unwrap();
        match (want.strip_prefix("error: "), expression.evaluate(&row, now())) {
            (Some(why), Err(error)) => {
                assert_eq!(error.code(), Code::Invalid);
                assert!(error.to_string().contains(why), "{text}: {error}");
            }
            (None, Ok(value)) => assert_eq!(show_key(&[value]), want, "{text}"),
            (_, found) => panic!("{text}: {found:?}"),
        }
    }
}

#[test]
fn every_function_is_in_the_document() {
    let document = include_str!("../../../../docs/expressions.md");
    for name in function::names() {
        assert!(document.contains(&format!("`{name}(")), "{name}");
    }
}

#[test]
fn columns_and_the_clock_are_known_before_a_row_comes() {
    let expression = Expression::parse("if(a in (b, 1), \"c d\", cast(age_days(e) as text), f, a)").unwrap();
    assert_eq!(expression.columns().into_iter().collect::<Vec<_>>(), ["a", "b", "c d", "e", "f"]);
    assert!(expression.uses_clock());
    assert!(!Expression::parse("a is null").unwrap().uses_clock());
}

#[test]
fn length_depth_and_what_comes_out_are_bounded() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(31)).is_ok());
    assert!(Expression::parse(&nested(33)).unwrap_err().to_string().contains("nested too deep"));
    assert!(Expression::parse(&format!("{}true", "not ".repeat(2000))).is_ok());
    assert!(Expression::parse(&" ".repeat(8193)).unwrap_err().to_string().contains("8193 bytes"));
    let many = "a or ".repeat(1600) + "a";
    assert!(!Expression::parse(&many).unwrap().holds(&|_: &str| Some(Datum::Null), now()).unwrap());
    let mut growing = "'a'".to_owned();
    for _ in 0..20 {
        growing = format!("replace({growing}, 'a', 'aaaaaaaaaa')");
    }
    let error = Expression::parse(&growing).unwrap().evaluate(&row, now()).unwrap_err();
    assert!(error.to_string().contains("16 MiB"), "{error}");
}

#[test]
fn numbers_compare_by_value_also_those_that_are_none() {
    let of = |text: &str, value: f64| {
        Expression::parse(text).unwrap().holds(&|_: &str| Some(Datum::float(value)), now()).unwrap()
    };
    assert!(of("x == 0.1", 0.1));
    assert!(of("x > 99999999999999999999999999", f64::INFINITY));
    assert!(of("x > 99999999999999999999999999", f64::NAN));
    assert!(of("x == x", f64::NAN));
    assert!(of("x < 0", f64::NEG_INFINITY));
}

#[test]
fn a_condition_has_to_be_one() {
    let holds = |text: &str| Expression::parse(text).unwrap().holds(&row, now());
    assert!(!holds("note").unwrap());
    assert!(holds("berths").unwrap_err().to_string().contains("not true or false"));
    assert!(holds("berths and true").unwrap_err().to_string().contains("not integer"));
}

proptest! {
    /// Whatever the text and the row: an answer or an error.
    #[test]
    fn nothing_breaks_it(
        words in proptest::collection::vec(prop_oneof![
            Just("("), Just(")"), Just(","), Just("and"), Just("not"), Just("=="), Just("<"), Just("is null"), Just("in ("),
            Just("a"), Just("1"), Just("-0.5"), Just("'x'"), Just("''"), Just("9223372036854775807"), Just("null"),
            Just("if("), Just("shift("), Just("'months')"), Just("substring("), Just("replace("), Just("round("),
            Just("format("), Just("'0.00')"), Just("age_days("), Just("cast("), Just("as date)"), Just("lookup("), Just("ä"),
        ], 0..14),
        value in crate::identity::any_datum(),
    ) {
        let text = words.join(" ");
        if let Ok(expression) = Expression::parse(&text) {
            let row = |_: &str| Some(value.clone());
            let answer = expression.evaluate(&row, now());
            let next = expression.next_change(&row, now());
            if !expression.uses_clock() {
                prop_assert_eq!(next, None);
                prop_assert_eq!(answer.ok(), expression.evaluate(&row, Tick { seconds: 0, nanos: 0 }).ok());
            }
        }
        // Calls of every function with any value.
        for name in function::names() {
            for call in [format!("{name}(a)"), format!("{name}(a, 3)"), format!("{name}(a, -2, 'months')"), format!("{name}(a, a, a)"), format!("{name}(a, 'YYYY')"), format!("{name}(a, '0.0')")] {
                if let Ok(expression) = Expression::parse(&call) {
                    let _: Result<Datum> = expression.evaluate(&|_: &str| Some(value.clone()), now());
                }
            }
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,40}") {
        let _: Result<Expression> = Expression::parse(&text);
    }
}
