//! File sync through the whole engine.
