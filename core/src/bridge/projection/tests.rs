use proptest::prelude::*;

use super::*;
use crate::bridge::written::{read_date, read_instant, read_tick};
use crate::endpoint::{Collation, ColumnTraits, LengthUnit, TimeSteps};
use crate::identity::any_datum;
use crate::model::{Decimal, Unreal};

fn column(kind: DatumKind) -> ColumnShape {
    ColumnShape {
        name: kind.as_str().into(),
        data_type: "some type".into(),
        kind: Some(kind),
        member: convert::is_many(kind).then_some(DatumKind::Text),
        is_nullable: true,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        collation: Collation::default(),
        traits: ColumnTraits::default(),
    }
}

fn with(kind: DatumKind, change: impl FnOnce(&mut ColumnShape)) -> ColumnShape {
    let mut column = column(kind);
    change(&mut column);
    column
}

fn berlin() -> Ends {
    Ends { zone: Some("Europe/Berlin".parse().unwrap()) }
}

fn between(source: &ColumnShape, target: &ColumnShape) -> Projection {
    Projection::between(source, target, berlin()).unwrap()
}

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn decimal(text: &str) -> Datum {
    Datum::Decimal(text.parse().unwrap())
}

fn instant(text: &str) -> Datum {
    Datum::Instant(read_instant(text).unwrap())
}

fn timestamp(text: &str) -> Datum {
    Datum::Timestamp(read_tick(text).unwrap())
}

fn date(text: &str) -> Datum {
    Datum::Date(read_date(text).unwrap())
}

fn texts(texts: &[&str]) -> Vec<Datum> {
    texts.iter().map(|each| text(each)).collect()
}

#[test]
fn values_cross_and_come_back() {
    use DatumKind as K;
    let in_days = |c: &mut ColumnShape| c.traits.day_zone = Some("America/Sao_Paulo".parse().unwrap());
    for (source, target, value, want) in [
        (column(K::Integer), column(K::Float), Datum::Integer(7), Datum::float(7.0)),
        (column(K::Integer), column(K::Decimal), Datum::Integer(70), decimal("70")),
        (column(K::Decimal), column(K::Float), decimal("0.1"), Datum::float(0.1)),
        (column(K::Decimal), column(K::Text), decimal("9007199254740993.10"), text("9007199254740993.1")),
        (column(K::Float), column(K::Text), Datum::float(1e300), text("1e+300")),
        (column(K::Float), column(K::Text), Datum::float(f64::NEG_INFINITY), text("-Infinity")),
        (column(K::Boolean), column(K::Integer), Datum::Boolean(true), Datum::Integer(1)),
        (column(K::Bytes), column(K::Text), Datum::Bytes(vec![0, 255]), text("AP8=")),
        (
            column(K::Uuid),
            column(K::Bytes),
            Datum::Uuid(uuid::Uuid::from_u128(1)),
            Datum::Bytes([&[0; 15][..], &[1]].concat()),
        ),
        (column(K::Date), column(K::Timestamp), date("2026-11-22"), timestamp("2026-11-22T00:00:00")),
        (column(K::Date), column(K::Instant), date("2026-11-22"), instant("2026-11-21T23:00:00Z")),
        (column(K::Date), with(K::Instant, in_days), date("2018-11-04"), instant("2018-11-04T03:00:00Z")),
        (column(K::Timestamp), column(K::Instant), timestamp("2026-07-01T12:00:00"), instant("2026-07-01T10:00:00Z")),
        (column(K::Instant), column(K::Text), instant("2026-07-01T10:00:00.5Z"), text("2026-07-01T10:00:00.5Z")),
        (column(K::Json), column(K::Text), Datum::Json("{\"a\":1}".into()), text("{\"a\":1}")),
        (column(K::List), column(K::Text), Datum::List(texts(&["b", "a\""])), text(r#"["b","a\""]"#)),
        (column(K::Text), column(K::Set), text("a"), Datum::Set(texts(&["a"]))),
        (column(K::Time), column(K::Text), Datum::Time(1_500_000_000), text("00:00:01.5")),
    ] {
        let projection = between(&source, &target);
        assert_eq!(projection.push(&value).unwrap(), want, "{value:?}");
        assert_eq!(projection.pull(&want).unwrap(), value, "{value:?}");
        assert!(!projection.is_identity());
    }
}

#[test]
fn what_the_target_cannot_tell_apart_is_one_value() {
    use DatumKind as K;
    let sharepoint = with(K::Text, |c| {
        c.traits.rewrites_line_ends = true;
        c.traits.empty_is_null = true;
    });
    let cut = |places| move |c: &mut ColumnShape| c.second_places = Some(places);
    let steps = |steps| with(K::Timestamp, move |c| c.traits.time_steps = steps);
    let at = |seconds: &str| format!("2026-11-22T23:59:{seconds}");
    for (source, target, value, want) in [
        (column(K::Text), sharepoint.clone(), text("a\r\nb\rc\n"), text("a\nb\nc\n")),
        (column(K::Text), sharepoint, text(""), Datum::Null),
        (column(K::List), with(K::Set, |c| c.traits.empty_is_null = true), Datum::List(vec![]), Datum::Null),
        (column(K::List), column(K::Set), Datum::List(texts(&["b", "a", "b"])), Datum::Set(texts(&["a", "b"]))),
        (with(K::Text, |c| c.traits.pads = true), column(K::Text), text("DE  "), text("DE")),
        (column(K::Decimal), with(K::Decimal, |c| c.digits = Some((10, 2))), decimal("1.005"), decimal("1.01")),
        (
            column(K::Instant),
            with(K::Instant, cut(0)),
            instant("1969-12-31T23:59:59.9Z"),
            instant("1969-12-31T23:59:59Z"),
        ),
        (with(K::Time, cut(3)), with(K::Time, cut(6)), Datum::Time(1_234_567), Datum::Time(1_000_000)),
        (
            column(K::Timestamp),
            steps(TimeSteps::ThreeHundredths),
            timestamp(&at("59.999999")),
            timestamp(&at("59.997")),
        ),
        (column(K::Timestamp), steps(TimeSteps::ThreeHundredths), timestamp(&at("59.002")), timestamp(&at("59"))),
        (column(K::Timestamp), steps(TimeSteps::ThreeHundredths), timestamp(&at("59.123")), timestamp(&at("59.123"))),
        (steps(TimeSteps::ThreeHundredths), column(K::Timestamp), timestamp(&at("59.003")), timestamp(&at("59.003"))),
        (column(K::Timestamp), steps(TimeSteps::Minutes), timestamp(&at("59.999")), timestamp(&at("00"))),
        (column(K::Timestamp), column(K::Date), timestamp("2026-11-22T23:59:59"), date("2026-11-22")),
        (column(K::Instant), column(K::Date), instant("2026-11-22T23:30:00Z"), date("2026-11-23")),
        (
            column(K::Float),
            with(K::Float, |c| c.traits.is_single = true),
            Datum::float(0.123_456_789_123),
            Datum::float(0.123_456_79),
        ),
        (
            column(K::Json),
            with(K::Json, |c| c.traits.json_doubles = true),
            Datum::Json("[9007199254740993,333333333.33333329]".into()),
            Datum::Json("[9007199254740993,333333333.3333333]".into()),
        ),
        // Of the two half past two that this night has in Berlin.
        (column(K::Instant), column(K::Timestamp), instant("2026-10-25T01:30:00Z"), timestamp("2026-10-25T02:30:00")),
    ] {
        let projection = between(&source, &target);
        let pushed = projection.push(&value).unwrap();
        assert_eq!(pushed, want, "{value:?}");
        assert_eq!(projection.seen(&pushed).unwrap(), pushed);
        assert_eq!(projection.push(&projection.pull(&pushed).unwrap()).unwrap(), pushed, "{value:?}");
        // What the target never had is not lost at the source.
        assert_eq!(projection.pull_onto(&pushed, &value).unwrap(), value);
    }
}

#[test]
fn nothing_that_comes_back_is_empty_where_nothing_is_forbidden() {
    let source = with(DatumKind::Text, |c| c.is_nullable = false);
    let target = with(DatumKind::Text, |c| c.traits.empty_is_null = true);
    let projection = between(&source, &target);
    assert_eq!(projection.pull(&projection.push(&text("")).unwrap()).unwrap(), text(""));
}

#[test]
fn what_has_no_room_is_refused_with_the_reason() {
    use DatumKind as K;
    let short = |unit| with(K::Text, |c| (c.max_length, c.traits.length_unit) = (Some(2), unit));
    for (source, target, value, want) in [
        (
            column(K::Integer),
            with(K::Integer, |c| c.traits.range = Some((-128, 127))),
            Datum::Integer(128),
            "out of range",
        ),
        (column(K::Integer), column(K::Float), Datum::Integer(9_007_199_254_740_993), "all of its digits"),
        (column(K::Decimal), column(K::Float), decimal("0.1000000000000000055"), "all of its digits"),
        (column(K::Decimal), column(K::Integer), decimal("1.5"), "not a whole number"),
        (column(K::Decimal), with(K::Decimal, |c| c.digits = Some((4, 2))), decimal("99.995"), "more than 2 digits"),
        (
            column(K::Integer),
            with(K::Float, |c| c.traits.is_single = true),
            Datum::Integer(16_777_217),
            "all of its digits",
        ),
        (column(K::Float), with(K::Float, |c| c.traits.is_single = true), Datum::float(1e300), "single precision"),
        (column(K::Float), column(K::Decimal), Datum::float(f64::NAN), "not a finite number"),
        (
            column(K::Float),
            with(K::Float, |c| c.traits.holds_non_finite = Some(false)),
            Datum::float(f64::INFINITY),
            "finite",
        ),
        (column(K::Text), column(K::Integer), text("seven"), "not a number"),
        (column(K::Text), column(K::Date), text("22.11.2026"), "ISO 8601"),
        (column(K::Text), column(K::Json), text("{"), "JSON"),
        (column(K::Text), short(LengthUnit::Characters), text("äöü"), "3 characters, and there is room for 2"),
        (column(K::Text), short(LengthUnit::Utf16), text("a🚢"), "3 UTF-16 units"),
        (column(K::Text), short(LengthUnit::Bytes), text("aä"), "3 bytes"),
        (column(K::Text), with(K::Text, |c| c.traits.choices = vec!["A".into()]), text("a"), "among the choices"),
        (
            column(K::List),
            with(K::Set, |c| c.traits.choices = vec!["A".into()]),
            Datum::List(texts(&["a"])),
            "among the choices",
        ),
        (
            column(K::List),
            with(K::Text, |c| c.traits.choices = vec!["a".into()]),
            Datum::List(texts(&["a", "b"])),
            "only one",
        ),
        (column(K::Text), with(K::Text, |c| c.is_nullable = false), Datum::Null, "has to hold something"),
        (column(K::Integer), column(K::Boolean), Datum::Integer(2), "only 0 and 1"),
        (column(K::Date), column(K::Date), Datum::Unreal(Unreal::EndlessDate), "infinite"),
        (column(K::Date), column(K::Timestamp), Datum::Unreal(Unreal::ZeroDate), "a date that is none"),
        (column(K::Date), with(K::Date, |c| c.traits.days = Some((0, 10))), date("1970-01-12"), "out of range"),
        (column(K::Timestamp), column(K::Instant), timestamp("2026-03-29T02:30:00"), "put forward"),
        // A column of SQLite may hold anything.
        (column(K::Integer), column(K::Decimal), Datum::Bytes(vec![]), "bytes is not decimal"),
    ] {
        let error = between(&source, &target).push(&value).unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[test]
fn what_has_nothing_in_common_is_refused_before_the_first_row() {
    use DatumKind as K;
    for (from, to) in [
        (K::Boolean, K::Text),
        (K::Interval, K::Text),
        (K::Date, K::Integer),
        (K::Bytes, K::Integer),
        (K::List, K::Integer),
    ] {
        let error = Projection::between(&column(from), &column(to), berlin()).unwrap_err();
        assert_eq!(error.code(), Code::Unsupported, "{from} {to}");
    }
    let unknown = with(K::Text, |c| (c.kind, c.data_type) = (None, "tsvector".into()));
    let error = Projection::between(&unknown, &column(K::Text), berlin()).unwrap_err();
    assert!(error.to_string().contains("tsvector"), "{error}");
    for (from, to) in [(K::Timestamp, K::Instant), (K::Date, K::Instant), (K::Instant, K::Date)] {
        let error = Projection::between(&column(from), &column(to), Ends::default()).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{from} {to}");
    }
}

const KINDS: [DatumKind; 16] = [
    DatumKind::Boolean,
    DatumKind::Integer,
    DatumKind::Decimal,
    DatumKind::Float,
    DatumKind::Text,
    DatumKind::Bytes,
    DatumKind::Uuid,
    DatumKind::Date,
    DatumKind::Time,
    DatumKind::Timestamp,
    DatumKind::Instant,
    DatumKind::Interval,
    DatumKind::Json,
    DatumKind::List,
    DatumKind::Set,
    DatumKind::Text,
];

/// Columns of every kind and with every trait.
fn any_column() -> impl Strategy<Value = ColumnShape> {
    let sizes = (0_usize..16, any::<bool>(), prop_oneof![Just(None), (0_u32..12).prop_map(Some)]);
    let precisions = (
        prop_oneof![Just(None), (1_u16..12, 0_u16..6).prop_map(|(whole, places)| Some((whole + places, places)))],
        prop_oneof![Just(None), (0_u8..=9).prop_map(Some)],
        prop_oneof![Just(None), Just(Some((-32_768_i128, 32_767_i128)))],
    );
    let flags = any::<[bool; 7]>();
    let steps = prop_oneof![Just(TimeSteps::Decimal), Just(TimeSteps::ThreeHundredths), Just(TimeSteps::Minutes)];
    let unit = prop_oneof![Just(LengthUnit::Characters), Just(LengthUnit::Utf16), Just(LengthUnit::Bytes)];
    (sizes, precisions, flags, unit, steps).prop_map(
        |((kind, is_nullable, max_length), (digits, places, range), flags, length_unit, time_steps)| {
            let [single, non_finite, pads, rewrites, empty, in_days, doubles] = flags;
            with(KINDS[kind], |column| {
                column.is_nullable = is_nullable;
                column.max_length = max_length;
                column.digits = digits;
                column.second_places = places;
                column.traits = ColumnTraits {
                    range,
                    days: None,
                    is_single: single,
                    holds_non_finite: Some(non_finite),
                    unreal: if pads { Unreal::ALL.to_vec() } else { Vec::new() },
                    length_unit,
                    choices: Vec::new(),
                    pads,
                    rewrites_line_ends: rewrites,
                    empty_is_null: empty,
                    day_zone: in_days.then(|| "America/Sao_Paulo".parse().unwrap()),
                    time_steps,
                    shown_as: None,
                    is_required: false,
                    json_doubles: doubles,
                };
            })
        },
    )
}

/// Values of a kind that a database holds: times within the years that have calendars, lists of texts.
fn any_value() -> impl Strategy<Value = Datum> {
    let at = (-4_000_000_000_i64..8_000_000_000, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| crate::model::Tick { seconds, nanos });
    prop_oneof![
        2 => any_datum(),
        1 => (-40_000_i32..80_000).prop_map(Datum::Date),
        1 => (0..=86_400_000_000_000_u64).prop_map(Datum::Time),
        1 => at.clone().prop_map(Datum::Timestamp),
        1 => at.prop_map(Datum::Instant),
        1 => (-3_i128..3).prop_map(Datum::Integer),
        1 => (any::<i32>(), 0_i32..5).prop_map(|(n, places)| Datum::Decimal(Decimal::new(n < 0, &n.unsigned_abs().to_string(), -places).unwrap())),
        1 => "[ a\r\n\u{e4}]{0,4}|[0-9]{1,4}|2026-0[1-9]-1[0-9]|true|\\[\"a\",null\\]|AAE=".prop_map(Datum::Text),
        1 => proptest::collection::vec("[ab \r\n]{0,2}".prop_map(Datum::Text), 0..3).prop_map(Datum::List),
        1 => proptest::collection::vec("[ab \r\n]{0,2}".prop_map(Datum::Text), 0..3).prop_map(convert::set),
    ]
}

#[test]
fn a_day_that_begins_at_seconds_does_not_become_the_day_before() {
    // Until 1914 São Paulo went by the sun: 3 hours, 6 minutes and 28 seconds behind Greenwich.
    let days = with(DatumKind::Instant, |c| c.traits.day_zone = Some("America/Sao_Paulo".parse().unwrap()));
    let in_minutes = with(DatumKind::Timestamp, |c| c.traits.time_steps = TimeSteps::Minutes);
    let projection = between(&days, &in_minutes);
    let error = projection.push(&instant("1913-12-31T15:00:00Z")).unwrap_err();
    assert!(error.to_string().contains("begins at no whole minute"), "{error}");
    let pushed = projection.push(&instant("1950-01-02T15:00:00Z")).unwrap();
    assert_eq!(projection.push(&projection.pull(&pushed).unwrap()).unwrap(), pushed);
    let error = between(&in_minutes, &days).pull(&instant("1913-12-31T03:06:28Z")).unwrap_err();
    assert!(error.to_string().contains("begins at no whole minute"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn there_is_no_ping_pong(source in any_column(), target in any_column(), value in any_value()) {
        // What a source cannot hold does not come from it.
        let Ok(value) = between(&source, &source).push(&value) else { return Ok(()) };
        let Ok(projection) = Projection::between(&source, &target, berlin()) else { return Ok(()) };
        let Ok(pushed) = projection.push(&value) else { return Ok(()) };
        if projection.is_identity() {
            prop_assert_eq!(&pushed, &value);
        }
        prop_assert_eq!(&projection.seen(&pushed).unwrap(), &pushed);
        match projection.pull(&pushed) {
            Ok(pulled) => prop_assert_eq!(&projection.push(&pulled).unwrap(), &pushed),
            // The usual form of a text may be longer than the one that was there (`1e5`); a day may begin where the column has no times.
            Err(error) => prop_assert!(
                source.kind == Some(DatumKind::Text) && error.to_string().contains("there is room for")
                    || target.traits.day_zone.is_some() && error.to_string().contains("begins at no whole minute"),
                "{value:?} {pushed:?} {error}"
            ),
        }
        prop_assert_eq!(projection.pull_onto(&pushed, &value).unwrap(), value);
    }
}
