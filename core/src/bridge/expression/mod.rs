//! The small language of transforms and routing rules. `docs/expressions.md` describes it for people, and its examples are
//! run by a test.
//!
//! It is total: every expression ends, in time and memory bounded by its length and the values it is given. It calls nothing
//! outside, and the time comes in as an argument. What is wrong with an expression is said when it is read, with the place;
//! what is wrong with a value belongs to its row.

mod compare;
mod evaluate;
mod function;
mod lexer;
mod parser;
mod pattern;

use std::collections::BTreeSet;

use crate::error::{Code, Error, Result};
use crate::model::{Datum, DatumKind, Tick, escaped};

use function::Function;
use parser::{Parser, Wrong};

/// The most bytes that an expression may have.
const LONGEST: usize = 8192;

/// Why a value cannot be made.
type Fault = String;

/// What is made of the values of a row: a transform of a mapping, or the condition of a routing rule.
///
/// ```
/// use portbook::bridge::Expression;
/// use portbook::model::{Datum, Tick};
/// let greeting = Expression::parse("concat('port of ', upper(name))").unwrap();
/// let row = |column: &str| (column == "name").then(|| Datum::Text("Hamburg".into()));
/// let now = Tick { seconds: 0, nanos: 0 };
/// assert_eq!(greeting.evaluate(&row, now).unwrap(), Datum::Text("port of HAMBURG".into()));
/// assert!(Expression::parse("upper(name").unwrap_err().to_string().contains("at byte 10"));
/// ```
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    node: Node,
}

/// An expression as a tree.
#[derive(Clone, Debug)]
enum Node {
    Literal(Datum),
    Column(String),
    Call(Function, Vec<Node>),
    Cast(Box<Node>, DatumKind),
    Compare(Order, Box<Node>, Box<Node>),
    IsNull(Box<Node>),
    In(Box<Node>, Vec<Node>),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Same,
    Other,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Order {
    const ALL: [Self; 6] = [Self::Same, Self::Other, Self::Below, Self::AtMost, Self::Above, Self::AtLeast];

    fn mark(self) -> &'static str {
        match self {
            Self::Same => "==",
            Self::Other => "!=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// `invalid`, with the place and what should stand there.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |wrong: Wrong| {
            let shown = escaped(text.get(..80).unwrap_or(text).as_bytes()).to_string();
            Error::new(Code::Invalid, "read the expression", shown)
                .because(format!("at byte {}: {}", wrong.at, wrong.why))
                .advise("docs/expressions.md describes the language")
        };
        if text.len() > LONGEST {
            return Err(Error::new(Code::Invalid, "read an expression", "")
                .because(format!("it has {} bytes, and may have {LONGEST}", text.len())));
        }
        let words = lexer::words(text)
            .map_err(|at| refused(Wrong { at, why: "nothing of the language begins like this".into() }))?;
        let node = Parser { words: &words, end: text.len(), depth: 0 }.whole().map_err(refused)?;
        Ok(Self { text: text.to_owned(), node })
    }

    /// Its text, as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it looks at.
    #[must_use]
    pub fn columns(&self) -> BTreeSet<&str> {
        let mut columns = BTreeSet::new();
        self.node.visit(&mut |node| {
            if let Node::Column(name) = node {
                columns.insert(name.as_str());
            }
        });
        columns
    }

    /// Whether its value changes with time.
    #[must_use]
    pub fn uses_clock(&self) -> bool {
        let mut uses = false;
        self.node.visit(&mut |node| uses |= matches!(node, Node::Call(Function::AgeDays, _)));
        uses
    }

    /// Its value for a row; `column` gives the value of a column, or nothing where there is none of that name.
    ///
    /// # Errors
    /// `invalid`: the row has no such column, or holds what the expression is not made for.
    pub fn evaluate(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Result<Datum> {
        evaluate::value(&self.node, &evaluate::Given { column, now }).map_err(|fault| self.fault(fault))
    }

    /// Whether it holds for a row. Nothing does not.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); `invalid` when its value is no truth value.
    pub fn holds(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Result<bool> {
        match self.evaluate(column, now)? {
            Datum::Boolean(value) => Ok(value),
            Datum::Null => Ok(false),
            _ => Err(self.fault("its value is not true or false".into())),
        }
    }

    /// The next time after `now` at which its value may become another one though the row stays as it is; nothing: never.
    /// It may be earlier than the change, never later.
    #[must_use]
    pub fn next_change(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Option<Tick> {
        evaluate::next_change(&self.node, &evaluate::Given { column, now })
    }

    fn fault(&self, fault: Fault) -> Error {
        Error::new(Code::Invalid, "evaluate", escaped(self.text.as_bytes())).because(fault)
    }
}

impl Node {
    /// Shows it and everything in it.
    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Node)) {
        see(self);
        self.parts().into_iter().for_each(|part| part.visit(see));
    }

    fn parts(&self) -> Vec<&Node> {
        match self {
            Self::Literal(_) | Self::Column(_) => Vec::new(),
            Self::Cast(node, _) | Self::IsNull(node) | Self::Not(node) => vec![node],
            Self::Compare(_, left, right) => vec![left, right],
            Self::In(node, nodes) => std::iter::once(&**node).chain(nodes).collect(),
            Self::Call(_, nodes) | Self::All(nodes) | Self::Any(nodes) => nodes.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
