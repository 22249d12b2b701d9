//! An expression as a row of words.

use winnow::ModalResult;
use winnow::Parser as _;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, opt, repeat};
use winnow::token::{none_of, one_of, take_while};

use crate::model::Decimal;

/// A word and the byte at which it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word<'a> {
    pub(super) at: usize,
    pub(super) token: Token<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Text(String),
    Number(Decimal),
    /// A name without quotes: of a column, a function, or one of the words of the language.
    Name(&'a str),
    /// A name in double quotes, which is a column.
    Column(String),
    /// `(`, `)`, `,`, and comparisons.
    Mark(&'a str),
}

/// The words of an expression, or the byte at which none begins.
pub(super) fn words(text: &str) -> Result<Vec<Word<'_>>, usize> {
    let mut rest = text;
    let mut words = Vec::new();
    loop {
        // Nothing is space, too: this cannot fail.
        let _: ModalResult<&str> = multispace0.parse_next(&mut rest);
        let at = text.len() - rest.len();
        if rest.is_empty() {
            return Ok(words);
        }
        let token = token(&mut rest).map_err(|_| at)?;
        words.push(Word { at, token });
    }
}

fn token<'a>(rest: &mut &'a str) -> ModalResult<Token<'a>> {
    let marks = alt(("==", "!=", "<=", ">=", "<", ">", "(", ")", ","));
    alt((
        quoted('\'').map(Token::Text),
        quoted('"').map(Token::Column),
        number.map(Token::Number),
        name.map(Token::Name),
        marks.map(Token::Mark),
    ))
    .parse_next(rest)
}

/// What stands between two quotes; a quote in it is written twice.
fn quoted<'a>(quote: char) -> impl FnMut(&mut &'a str) -> ModalResult<String> {
    move |rest| {
        let part = alt((none_of(quote), (quote, quote).map(|(quote, _)| quote)));
        delimited(quote, repeat(0.., part), cut_err(quote)).parse_next(rest)
    }
}

fn number(rest: &mut &str) -> ModalResult<Decimal> {
    let digits = || take_while(1.., '0'..='9');
    let text = (opt('-'), digits(), opt(('.', digits()))).take();
    text.try_map(|text: &str| text.parse::<Decimal>()).parse_next(rest)
}

fn name<'a>(rest: &mut &'a str) -> ModalResult<&'a str> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_');
    let more = take_while(0.., |c: char| c.is_alphanumeric() || c == '_');
    (first, more).take().parse_next(rest)
}
