//! Words as a tree.
//!
//! ```text
//! either     = both ("or" both)*
//! both       = inverse ("and" inverse)*
//! inverse    = "not" inverse | comparison
//! comparison = operand (("==" | "!=" | "<" | "<=" | ">" | ">=") operand
//!                      | "is" ["not"] "null" | ["not"] "in" "(" either ("," either)* ")")?
//! operand    = text | number | "true" | "false" | "null" | column | function "(" … ")" | "(" either ")"
//! ```

use super::function::Function;
use super::lexer::{Token, Word};
use super::pattern;
use super::{Node, Order};
use crate::model::{Datum, DatumKind};

/// How deep expressions may be nested.
const DEEPEST: usize = 32;

/// Where an expression goes wrong, and why.
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) why: String,
}

type Parsed<T> = Result<T, Wrong>;

/// What is left of the words of an expression.
pub(super) struct Parser<'a> {
    pub(super) words: &'a [Word<'a>],
    /// Where the text ends.
    pub(super) end: usize,
    pub(super) depth: usize,
}

/// Words that are no columns without quotes.
const RESERVED: [&str; 9] = ["and", "or", "not", "is", "in", "null", "true", "false", "as"];

impl<'a> Parser<'a> {
    /// All of it.
    pub(super) fn whole(mut self) -> Parsed<Node> {
        let node = self.either()?;
        match self.words.first() {
            None => Ok(node),
            Some(_) => Err(self.wrong("the expression should end here")),
        }
    }

    fn wrong(&self, why: impl Into<String>) -> Wrong {
        Wrong { at: self.words.first().map_or(self.end, |word| word.at), why: why.into() }
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(&first.token)
    }

    fn takes(&mut self, wanted: &Token<'_>) -> bool {
        let is_next = self.words.first().is_some_and(|word| word.token == *wanted);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    fn takes_name(&mut self, name: &str) -> bool {
        self.takes(&Token::Name(name))
    }

    fn takes_mark(&mut self, mark: &str) -> bool {
        self.takes(&Token::Mark(mark))
    }

    fn needs_mark(&mut self, mark: &str) -> Parsed<()> {
        if self.takes_mark(mark) { Ok(()) } else { Err(self.wrong(format!("a {mark} should stand here"))) }
    }

    fn either(&mut self) -> Parsed<Node> {
        if self.depth >= DEEPEST {
            return Err(self.wrong("it is nested too deep"));
        }
        self.depth += 1;
        let mut nodes = vec![self.both()?];
        while self.takes_name("or") {
            nodes.push(self.both()?);
        }
        self.depth -= 1;
        Ok(only(nodes, Node::Any))
    }

    fn both(&mut self) -> Parsed<Node> {
        let mut nodes = vec![self.inverse()?];
        while self.takes_name("and") {
            nodes.push(self.inverse()?);
        }
        Ok(only(nodes, Node::All))
    }

    fn inverse(&mut self) -> Parsed<Node> {
        let mut is_inverse = false;
        while self.takes_name("not") {
            is_inverse = !is_inverse;
        }
        let node = self.comparison()?;
        Ok(if is_inverse { Node::Not(Box::new(node)) } else { node })
    }

    fn comparison(&mut self) -> Parsed<Node> {
        let left = self.operand()?;
        for order in Order::ALL {
            if self.takes_mark(order.mark()) {
                return Ok(Node::Compare(order, Box::new(left), Box::new(self.operand()?)));
            }
        }
        if self.takes_name("is") {
            let is_inverse = self.takes_name("not");
            if !self.takes_name("null") {
                return Err(self.wrong("null should follow is"));
            }
            return Ok(inverted(Node::IsNull(Box::new(left)), is_inverse));
        }
        let is_inverse = self.takes_name("not");
        if self.takes_name("in") {
            self.needs_mark("(")?;
            let choices = self.list()?;
            return Ok(inverted(Node::In(Box::new(left), choices), is_inverse));
        }
        if is_inverse { Err(self.wrong("in should follow not")) } else { Ok(left) }
    }

    /// Expressions up to the bracket.
    fn list(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        if self.takes_mark(")") {
            return Ok(nodes);
        }
        loop {
            nodes.push(self.either()?);
            if self.takes_mark(")") {
                return Ok(nodes);
            }
            self.needs_mark(",")?;
        }
    }

    fn operand(&mut self) -> Parsed<Node> {
        let here = self.wrong("");
        let wrong = |why: &str| Wrong { at: here.at, why: why.into() };
        match self.next() {
            None => Err(wrong("a value should stand here, and it ends")),
            Some(Token::Text(text)) => Ok(Node::Literal(Datum::Text(text.clone()))),
            Some(Token::Number(number)) => {
                Ok(Node::Literal(number.to_integer().map_or_else(|| Datum::Decimal(number.clone()), Datum::Integer)))
            }
            Some(Token::Column(name)) => Ok(Node::Column(name.clone())),
            Some(Token::Name("null")) => Ok(Node::Literal(Datum::Null)),
            Some(Token::Name("true")) => Ok(Node::Literal(Datum::Boolean(true))),
            Some(Token::Name("false")) => Ok(Node::Literal(Datum::Boolean(false))),
            Some(Token::Mark("(")) => {
                let node = self.either()?;
                self.needs_mark(")")?;
                Ok(node)
            }
            Some(Token::Name(name)) if self.takes_mark("(") => self.call(name, here.at),
            Some(Token::Name(name)) if RESERVED.contains(name) => {
                Err(wrong(&format!("{name} is a word of the language; a column of that name stands in double quotes")))
            }
            Some(Token::Name(name)) => Ok(Node::Column((*name).to_owned())),
            Some(Token::Mark(mark)) => Err(wrong(&format!("a value should stand here, and not {mark}"))),
        }
    }

    fn call(&mut self, name: &str, at: usize) -> Parsed<Node> {
        let function =
            Function::named(name).ok_or_else(|| Wrong { at, why: format!("there is no function {name}") })?;
        if function == Function::Cast {
            return self.cast();
        }
        let arguments = self.list()?;
        function.check(arguments.len()).map_err(|why| Wrong { at, why })?;
        pattern::check(function, &arguments).map_err(|why| Wrong { at, why })?;
        Ok(Node::Call(function, arguments))
    }

    fn cast(&mut self) -> Parsed<Node> {
        let value = self.either()?;
        if !self.takes_name("as") {
            return Err(self.wrong("as should stand here, and the kind of the value after it"));
        }
        let here = self.wrong("there is no such kind of value, or none that a value can be cast to");
        let kind = match self.next() {
            Some(Token::Name(name)) => castable(name).ok_or(here)?,
            _ => return Err(here),
        };
        self.needs_mark(")")?;
        Ok(Node::Cast(Box::new(value), kind))
    }
}

/// The only one of them, or all together.
fn only(nodes: Vec<Node>, together: fn(Vec<Node>) -> Node) -> Node {
    match <[Node; 1]>::try_from(nodes) {
        Ok([only]) => only,
        Err(nodes) => together(nodes),
    }
}

fn inverted(node: Node, is_inverse: bool) -> Node {
    if is_inverse { Node::Not(Box::new(node)) } else { node }
}

fn castable(name: &str) -> Option<DatumKind> {
    use DatumKind as K;
    let kinds = [
        K::Boolean,
        K::Integer,
        K::Decimal,
        K::Float,
        K::Text,
        K::Bytes,
        K::Uuid,
        K::Date,
        K::Time,
        K::Timestamp,
        K::Instant,
        K::Json,
    ];
    kinds.into_iter().find(|kind| kind.as_str() == name)
}
