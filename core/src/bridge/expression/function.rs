//! The functions of the language.

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Trim,
    Upper,
    Lower,
    Concat,
    Substring,
    Replace,
    Round,
    Format,
    Default,
    Coalesce,
    Lookup,
    If,
    Shift,
    AgeDays,
    Cast,
}

/// Each with its name, the fewest and the most arguments.
const FUNCTIONS: [(Function, &str, usize, usize); 15] = [
    (Function::Trim, "trim", 1, 1),
    (Function::Upper, "upper", 1, 1),
    (Function::Lower, "lower", 1, 1),
    (Function::Concat, "concat", 1, usize::MAX),
    (Function::Substring, "substring", 2, 3),
    (Function::Replace, "replace", 3, 3),
    (Function::Round, "round", 2, 2),
    (Function::Format, "format", 2, 2),
    (Function::Default, "default", 2, 2),
    (Function::Coalesce, "coalesce", 1, usize::MAX),
    (Function::Lookup, "lookup", 3, usize::MAX),
    (Function::If, "if", 3, usize::MAX),
    (Function::Shift, "shift", 3, 3),
    (Function::AgeDays, "age_days", 1, 1),
    (Function::Cast, "cast", 1, 1),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(_, each, ..)| *each == name).map(|(function, ..)| *function)
    }

    /// Whether it takes that many arguments.
    pub(super) fn check(self, count: usize) -> Result<(), String> {
        let Some((_, name, least, most)) = FUNCTIONS.iter().find(|(function, ..)| *function == self) else {
            return Ok(());
        };
        if count < *least || count > *most {
            let wanted = match (*least, *most) {
                (least, most) if least == most => least.to_string(),
                (least, usize::MAX) => format!("{least} or more"),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(format!("{name} takes {wanted} values, and is given {count}"));
        }
        if self == Self::If && count.is_multiple_of(2) {
            return Err("if takes pairs of a condition and a value, and a last value for when none holds".into());
        }
        Ok(())
    }
}

/// The names of all functions.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(_, name, ..)| *name)
}
