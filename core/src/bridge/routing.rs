//! To which target a row goes (`sync_definitions.sharding_policy`).
//!
//! A policy is a JSON object of rules and a target for what no rule takes; the first rule whose condition holds decides:
//!
//! ```json
//! {"rules": [{"if": "status == 'Active' and age_days(created_at) >= 30", "target_list_id": "…"}],
//!  "default_target_list_id": "…"}
//! ```
//!
//! A rule that looks at the clock moves a row although it did not change. Each route therefore says when it may next be
//! another one, and the ledger keeps that time beside the row: a run by a cursor looks at those rows too.

use std::collections::BTreeSet;

use serde::Deserialize;
use uuid::Uuid;

use super::Expression;
use crate::error::{Code, Error, Result};
use crate::model::{Datum, Tick};

/// Which row goes to which target.
///
/// ```
/// use portbook::bridge::Routing;
/// use portbook::model::{Datum, Tick};
/// # use uuid::Uuid;
/// let (active, others) = (Uuid::from_u128(1), Uuid::from_u128(2));
/// let policy = format!(
///     r#"{{"rules": [{{"if": "status == 'Active'", "target_list_id": "{active}"}}], "default_target_list_id": "{others}"}}"#
/// );
/// let routing = Routing::parse(&policy, &[active, others]).unwrap();
/// let row = |column: &str| (column == "status").then(|| Datum::Text("Active".into()));
/// assert_eq!(routing.route(&row, Tick { seconds: 0, nanos: 0 }).unwrap().target, active);
/// ```
#[derive(Clone, Debug)]
pub struct Routing {
    rules: Vec<(Expression, Uuid)>,
    default: Option<Uuid>,
}

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The target.
    pub target: Uuid,
    /// When the rules may next say another one though the row stays as it is; nothing: never.
    pub next_route_at: Option<Tick>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    rules: Vec<Rule>,
    default_target_list_id: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(rename = "if")]
    condition: String,
    target_list_id: Uuid,
}

impl Routing {
    /// Reads a policy. `active` are the targets that a row may go to.
    ///
    /// # Errors
    /// `invalid` when it is no policy, a condition cannot be read, a target is not among the active ones, or it leads
    /// nowhere.
    pub fn parse(policy: &str, active: &[Uuid]) -> Result<Self> {
        let refused = || Error::new(Code::Invalid, "read the sharding policy", "");
        // A list would be read as the fields in their order.
        if !policy.trim_start().starts_with('{') {
            return Err(refused().because("it is no JSON object"));
        }
        let policy: Policy = serde_json::from_str(policy).map_err(|error| refused().caused_by(error))?;
        let is_active = |target: Uuid, whose: &str| {
            if active.contains(&target) {
                return Ok(target);
            }
            Err(refused()
                .because(format!("the target {target} of {whose} is not an active one of the definition"))
                .advise("add it to sync_targets, or set its status to ACTIVE"))
        };
        let mut rules = Vec::with_capacity(policy.rules.len());
        for (at, rule) in policy.rules.iter().enumerate() {
            let whose = format!("rule {}", at + 1);
            let condition =
                Expression::parse(&rule.condition).map_err(|error| refused().because(format!("{whose}: {error}")))?;
            rules.push((condition, is_active(rule.target_list_id, &whose)?));
        }
        let default = policy.default_target_list_id.map(|target| is_active(target, "the default")).transpose()?;
        if rules.is_empty() && default.is_none() {
            return Err(refused().because("it has neither rules nor a default"));
        }
        Ok(Self { rules, default })
    }

    /// The columns that its rules look at.
    #[must_use]
    pub fn columns(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|(condition, _)| condition.columns()).collect()
    }

    /// Whether a row may go elsewhere though it stays as it is.
    #[must_use]
    pub fn uses_clock(&self) -> bool {
        self.rules.iter().any(|(condition, _)| condition.uses_clock())
    }

    /// Where a row goes; `column` gives the value of a column.
    ///
    /// # Errors
    /// `invalid` when a condition cannot be evaluated for the row, or none holds and there is no default.
    pub fn route(&self, column: &dyn Fn(&str) -> Option<Datum>, now: Tick) -> Result<Route> {
        let mut next_route_at = None;
        for (condition, target) in &self.rules {
            // Rules behind the first that holds decide nothing until one up to it changes.
            let changes = condition.next_change(column, now);
            next_route_at = [next_route_at, changes].into_iter().flatten().min();
            if condition.holds(column, now)? {
                return Ok(Route { target: *target, next_route_at });
            }
        }
        let target = self.default.ok_or_else(|| {
            Error::new(Code::Invalid, "find the target of a row", "")
                .because("no rule of the sharding policy takes it, and there is no default")
        })?;
        Ok(Route { target, next_route_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const TARGETS: [Uuid; 3] = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];

    fn policy(rules: &[(&str, Uuid)], default: Option<Uuid>) -> String {
        let rules: Vec<_> = rules
            .iter()
            .map(|(condition, target)| serde_json::json!({"if": condition, "target_list_id": target}))
            .collect();
        serde_json::json!({"rules": rules, "default_target_list_id": default}).to_string()
    }

    fn at(days: i64) -> Tick {
        Tick { seconds: days * DAY, nanos: 5 }
    }

    #[test]
    fn the_first_rule_that_holds_decides() {
        let rules = [("a == 1", TARGETS[0]), ("a >= 1", TARGETS[1])];
        let routing = Routing::parse(&policy(&rules, Some(TARGETS[2])), &TARGETS).unwrap();
        let to = |a: Datum| routing.route(&|_: &str| Some(a.clone()), at(0)).unwrap();
        assert_eq!(to(Datum::Integer(1)), Route { target: TARGETS[0], next_route_at: None });
        assert_eq!(to(Datum::Integer(2)).target, TARGETS[1]);
        assert_eq!(to(Datum::Integer(0)).target, TARGETS[2]);
        assert_eq!(to(Datum::Null).target, TARGETS[2]);
        assert_eq!(routing.columns().into_iter().collect::<Vec<_>>(), ["a"]);
        assert!(!routing.uses_clock());
        let without = Routing::parse(&policy(&rules, None), &TARGETS).unwrap();
        let error = without.route(&|_: &str| Some(Datum::Integer(0)), at(0)).unwrap_err();
        assert!(error.to_string().contains("no default"), "{error}");
    }

    #[test]
    fn a_policy_that_leads_astray_is_refused() {
        let unknown = Uuid::from_u128(9);
        for (policy, want) in [
            ("[]".to_owned(), "it is no JSON object"),
            ("{\"rules\": []}".to_owned(), "neither rules nor a default"),
            ("{\"rules\": [], \"default\": \"x\"}".to_owned(), "unknown field"),
            (policy(&[("a ==", TARGETS[0])], None), "rule 1: could not read the expression"),
            (policy(&[("a == 1", unknown)], None), "of rule 1 is not an active one"),
            (policy(&[], Some(unknown)), "of the default is not an active one"),
            (policy(&[("a == 1", TARGETS[0])], None).replace("\"if\"", "\"when\""), "unknown field"),
        ] {
            let error = Routing::parse(&policy, &TARGETS).unwrap_err();
            assert_eq!(error.code(), Code::Invalid);
            assert!(error.to_string().contains(want), "{error}");
        }
    }

    /// Between two times that it gave, a route never changes.
    #[test]
    fn a_route_stays_until_it_says_otherwise() {
        let born = Datum::Instant(at(0));
        for condition in [
            "age_days(born) >= 30",
            "age_days(born) > 30",
            "age_days(born) == 30",
            "40 > age_days(born)",
            "age_days(born) < 10 or age_days(born) in (20, 25)",
            "not (age_days(born) <= 7) and code == 'x'",
            "cast(age_days(born) as text) == '12'",
        ] {
            let routing = Routing::parse(&policy(&[(condition, TARGETS[0])], Some(TARGETS[1])), &TARGETS).unwrap();
            assert!(routing.uses_clock());
            let row = |name: &str| Some(if name == "born" { born.clone() } else { Datum::Text("x".into()) });
            let mut last = routing.route(&row, at(-2)).unwrap();
            let mut changes = 0;
            for half_day in -3..100_i64 {
                let now = Tick { seconds: half_day * DAY / 2, nanos: 5 };
                let route = routing.route(&row, now).unwrap();
                if last.next_route_at.is_none_or(|next| now < next) {
                    assert_eq!(route.target, last.target, "{condition} {half_day}");
                }
                changes += usize::from(route.target != last.target);
                assert!(route.next_route_at.is_none_or(|next| next > now));
                last = route;
            }
            assert!(changes > 0, "{condition}");
        }
    }

    #[test]
    fn a_rule_behind_the_one_that_holds_sets_no_time() {
        let rules = [("age_days(born) >= 30", TARGETS[0]), ("age_days(born) >= 7", TARGETS[1])];
        let routing = Routing::parse(&policy(&rules, Some(TARGETS[2])), &TARGETS).unwrap();
        let row = |_: &str| Some(Datum::Instant(at(0)));
        let of = |days: i64| routing.route(&row, at(days)).unwrap();
        assert_eq!(of(1), Route { target: TARGETS[2], next_route_at: Some(at(7)) });
        assert_eq!(of(8), Route { target: TARGETS[1], next_route_at: Some(at(30)) });
        assert_eq!(of(30).target, TARGETS[0]);
        assert_eq!(of(31), Route { target: TARGETS[0], next_route_at: None });
    }
}
