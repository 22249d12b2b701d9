//! When every value of one column is one of another.

use crate::endpoint::{ColumnShape, TimeSteps};
use crate::model::DatumKind;

/// Whether every value of the source is in the form of the target and has room there. A no costs time, a wrong yes a row that
/// is written again and again: in doubt it is no.
pub(super) fn holds(source: &ColumnShape, target: &ColumnShape) -> bool {
    let (from, to) = (&source.traits, &target.traits);
    let is_same_kind = source.kind == target.kind && source.member == target.member;
    // A set is sorted by the projection, whoever read it; padded texts lose their spaces.
    let is_in_form = source.kind != Some(DatumKind::Set)
        && !from.pads
        && !to.pads
        && !from.rewrites_line_ends
        && !to.rewrites_line_ends
        && (from.empty_is_null || !to.empty_is_null)
        && (!source.traits.empty_is_null || to.empty_is_null)
        && from.day_zone == to.day_zone
        && (to.time_steps == TimeSteps::Decimal || from.time_steps == to.time_steps)
        && !from.json_doubles
        && !to.json_doubles
        && (from.is_single || !to.is_single);
    is_same_kind && is_in_form && has_room(source, target)
}

fn has_room(source: &ColumnShape, target: &ColumnShape) -> bool {
    let (from, to) = (&source.traits, &target.traits);
    let within = |inner: Option<(i128, i128)>, outer: Option<(i128, i128)>| match (inner, outer) {
        (_, None) => true,
        (Some(inner), Some(outer)) => inner.0 >= outer.0 && inner.1 <= outer.1,
        (None, Some(_)) => false,
    };
    let days = |days: Option<(i32, i32)>| days.map(|(first, last)| (i128::from(first), i128::from(last)));
    let non_finite =
        |column: &ColumnShape| column.traits.holds_non_finite.unwrap_or(column.kind == Some(DatumKind::Float));
    let length = match (source.max_length, target.max_length) {
        (_, None) => true,
        (Some(inner), Some(outer)) => inner <= outer && from.length_unit == to.length_unit,
        (None, Some(_)) => false,
    };
    let digits = match (source.digits, target.digits) {
        (_, None) => true,
        (Some(inner), Some(outer)) => {
            inner.1 <= outer.1 && inner.0 - inner.1.min(inner.0) <= outer.0 - outer.1.min(outer.0)
        }
        (None, Some(_)) => false,
    };
    let choices = to.choices.is_empty()
        || (!from.choices.is_empty() && from.choices.iter().all(|choice| to.choices.contains(choice)));
    within(from.range, to.range)
        && within(days(from.days), days(to.days))
        && (!non_finite(source) || non_finite(target))
        && length
        && digits
        && choices
        && source.second_places.unwrap_or(9) <= target.second_places.unwrap_or(9)
        && from.unreal.iter().all(|unreal| to.unreal.contains(unreal))
        && (target.is_nullable || !source.is_nullable)
}
