//! `$filter` and `$orderby` over the fields of items: comparisons, `startswith`, `and`, `or`, `not` and parentheses. There is
//! no `in` for them.

use std::cmp::Ordering;

use serde_json::Value;
use winnow::ascii::{multispace0, multispace1};
use winnow::combinator::{alt, delimited, not, preceded, repeat, separated};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::column::Column;
use super::facet::Facet;
use super::field;
use super::item;
use super::wire::Refusal;
use super::world::{Item, List};

/// A condition on items.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    /// A field, how it must compare, with what; texts keep no quotes.
    Compare(String, Relation, Literal),
    StartsWith(String, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    /// A number, a time, or `true`, `false` and `null`.
    Bare(String),
}

impl Filter {
    pub fn read(text: &str) -> Result<Self, Refusal> {
        any.parse(text.trim()).map_err(|_| Refusal::bad(format!("Invalid filter clause: {text}")))
    }

    /// The fields that it is about.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Compare(field, ..) | Self::StartsWith(field, _) => vec![field],
        }
    }

    /// The items that alone can match, where unique columns tell.
    pub fn candidates(&self, list: &List, key: impl Fn(&Value) -> String + Copy) -> Option<Vec<u64>> {
        match self {
            Self::Any(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(|part| part.candidates(list, key)).collect();
                let mut all = parts?.concat();
                all.sort_unstable();
                all.dedup();
                Some(all)
            }
            Self::All(parts) => parts.iter().find_map(|part| part.candidates(list, key)),
            Self::Compare(field, Relation::Eq, Literal::Text(text)) => {
                let values = list.unique.get(field)?;
                Some(values.get(&key(&Value::from(text.as_str()))).copied().into_iter().collect())
            }
            _ => None,
        }
    }

    pub fn matches(&self, list: &List, id: u64, item: &Item) -> Result<bool, Refusal> {
        match self {
            Self::Any(parts) => parts.iter().try_fold(false, |is, part| Ok(is || part.matches(list, id, item)?)),
            Self::All(parts) => parts.iter().try_fold(true, |is, part| Ok(is && part.matches(list, id, item)?)),
            Self::Not(part) => Ok(!part.matches(list, id, item)?),
            Self::StartsWith(name, start) => {
                let value = item::value(item, id, column(list, name)?);
                let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
                Ok(text.to_lowercase().starts_with(&start.to_lowercase()))
            }
            Self::Compare(name, relation, literal) => {
                let column = column(list, name)?;
                let value = item::value(item, id, column);
                if *literal == Literal::Bare("null".to_owned()) {
                    return match relation {
                        Relation::Eq => Ok(value.is_none()),
                        Relation::Ne => Ok(value.is_some()),
                        _ => Err(Refusal::bad("null has no order")),
                    };
                }
                let order = literal.against(column, value.as_ref())?;
                Ok(order.map_or(*relation == Relation::Ne, |order| relation.holds(order)))
            }
        }
    }
}

/// The column that a filter, an order or a selection names.
pub fn column<'a>(list: &'a List, name: &str) -> Result<&'a Column, Refusal> {
    let is = |column: &&Column| column.name == name || column.key() == name;
    list.columns.iter().find(is).ok_or_else(|| Refusal::invalid(format!("Field '{name}' is not recognized")))
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

impl Literal {
    fn text(&self) -> &str {
        let (Self::Text(text) | Self::Bare(text)) = self;
        text
    }

    /// How a value compares with it; none where there is no value.
    fn against(&self, column: &Column, value: Option<&Value>) -> Result<Option<Ordering>, Refusal> {
        let odd = || Refusal::invalid(format!("{} cannot be compared with {}", column.name, self.text()));
        match &column.facet {
            Facet::Number { .. } | Facet::Currency => {
                let wanted: f64 = self.text().parse().map_err(|_| odd())?;
                Ok(value.and_then(Value::as_f64).and_then(|number| number.partial_cmp(&wanted)))
            }
            Facet::Boolean => {
                let wanted = match self.text() {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(odd()),
                };
                Ok(value.and_then(Value::as_bool).map(|flag| flag.cmp(&wanted)))
            }
            Facet::DateTime { .. } => {
                let wanted = field::instant(self.text()).ok_or_else(odd)?;
                Ok(value.and_then(Value::as_str).and_then(field::instant).map(|time| time.cmp(&wanted)))
            }
            Facet::Lookup { is_multiple: false, .. } | Facet::Person { is_multiple: false } => {
                let wanted: u64 = self.text().parse().map_err(|_| odd())?;
                let id = value.and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
                Ok(id.map(|id| id.cmp(&wanted)))
            }
            Facet::Text { .. } | Facet::Choice { is_multiple: false } => {
                let Self::Text(wanted) = self else { return Err(odd()) };
                Ok(value.and_then(Value::as_str).map(|text| text.to_lowercase().cmp(&wanted.to_lowercase())))
            }
            _ => Err(Refusal::invalid(format!("Field '{}' cannot be referenced in filter", column.name))),
        }
    }
}

/// How values of one column are ordered: none first.
pub fn order(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(Value::String(left)), Some(Value::String(right))) => left.to_lowercase().cmp(&right.to_lowercase()),
        (Some(Value::Bool(left)), Some(Value::Bool(right))) => left.cmp(right),
        (Some(left), Some(right)) => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// Reads `fields/Name desc`: the field, and whether it is descending.
pub fn order_by(text: &str) -> Result<(String, bool), Refusal> {
    let odd = || Refusal::bad(format!("Invalid order by clause: {text}"));
    let mut words = text.split_whitespace();
    let name = field.parse(words.next().ok_or_else(odd)?).map_err(|_| odd())?;
    match (words.next(), words.next()) {
        (None | Some("asc"), None) => Ok((name, false)),
        (Some("desc"), None) => Ok((name, true)),
        _ => Err(odd()),
    }
}

fn any(input: &mut &str) -> ModalResult<Filter> {
    let parts: Vec<Filter> = separated(1.., all, (multispace1, "or", multispace1)).parse_next(input)?;
    Ok(one_or(parts, Filter::Any))
}

fn all(input: &mut &str) -> ModalResult<Filter> {
    let parts: Vec<Filter> = separated(1.., part, (multispace1, "and", multispace1)).parse_next(input)?;
    Ok(one_or(parts, Filter::All))
}

fn one_or(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { several(parts) }
}

fn part(input: &mut &str) -> ModalResult<Filter> {
    let group = || delimited(("(", multispace0), any, (multispace0, ")"));
    let negated = preceded(("not", multispace0), alt((group(), starts_with))).map(|part| Filter::Not(Box::new(part)));
    alt((group(), negated, starts_with, comparison)).parse_next(input)
}

fn starts_with(input: &mut &str) -> ModalResult<Filter> {
    let inner = (field, (multispace0, ",", multispace0), quoted).map(|(name, _, text)| Filter::StartsWith(name, text));
    delimited(("startswith(", multispace0), inner, (multispace0, ")")).parse_next(input)
}

fn comparison(input: &mut &str) -> ModalResult<Filter> {
    let relation = alt((
        "eq".value(Relation::Eq),
        "ne".value(Relation::Ne),
        "lt".value(Relation::Lt),
        "le".value(Relation::Le),
        "gt".value(Relation::Gt),
        "ge".value(Relation::Ge),
    ));
    let bare = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-.:".contains(c))
        .map(|text: &str| Literal::Bare(text.to_owned()));
    let literal = alt((quoted.map(Literal::Text), bare));
    (field, delimited(multispace1, relation, multispace1), literal)
        .map(|(name, relation, literal)| Filter::Compare(name, relation, literal))
        .parse_next(input)
}

/// A field, or one of the two times that every item has.
fn field(input: &mut &str) -> ModalResult<String> {
    let name = take_while(1.., |c: char| c.is_alphanumeric() || c == '_').map(str::to_owned);
    alt((
        preceded("fields/", name),
        "createdDateTime".value("Created".to_owned()),
        "lastModifiedDateTime".value("Modified".to_owned()),
    ))
    .parse_next(input)
}

/// A text in quotes, in which a quote is written twice.
fn quoted(input: &mut &str) -> ModalResult<String> {
    let inside = alt(("''".value('\''), (not("'"), one_of(|_| true)).map(|((), c): ((), char)| c)));
    let text = repeat(0.., inside).fold(String::new, |mut text, c| {
        text.push(c);
        text
    });
    delimited("'", text, "'").parse_next(input)
}
