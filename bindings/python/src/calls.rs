//! How the calls of a handle are written once and had twice: blocking, and for asyncio.

/// The methods of a handle, in four sections. What is awaited is written as
///
/// ```text
/// /// What it does.
/// verb / verb_async(needed: Type; optional: Type) -> Preview = |conduit| conduit.verb(needed, optional).await;
/// ```
///
/// `now` holds what answers at once, without the second name; `next` what reads one item of something that has an end, which
/// makes the handle an iterator; `also` what is no such call. An optional argument is none when it is left out.
macro_rules! calls {
    ($class:ident {
        $(
            $(#[doc = $doc:expr])*
            $name:ident / $later:ident($($needed:ident: $wanted:ty),* ; $($left:ident: $taken:ty),*) -> $out:ty
                = |$handle:ident| $call:expr;
        )*
    } $(now {
        $(
            $(#[doc = $now_doc:expr])*
            $now:ident($($now_needed:ident: $now_wanted:ty),* ; $($now_left:ident: $now_taken:ty),*) -> $now_out:ty
                = |$now_handle:ident| $now_call:expr;
        )*
    })? $(next {
        $(#[doc = $next_doc:expr])*
        $next:ident / $next_later:ident -> $item:ty = |$next_handle:ident| $next_call:expr;
    })? also { $($also:tt)* }) => {
        #[::pyo3::pymethods]
        impl $class {
            $(
                $(#[doc = $doc])*
                #[pyo3(signature = ($($needed,)* $($left = None),*))]
                fn $name(
                    &self,
                    py: ::pyo3::Python<'_>,
                    $($needed: ::portbook_ffi::python::Arg<$wanted>,)*
                    $($left: Option<::portbook_ffi::python::Arg<$taken>>),*
                ) -> ::pyo3::PyResult<$out> {
                    $(let $needed = $needed.0;)*
                    $(let $left = $left.map(|left| left.0);)*
                    let $handle = self.handle.clone();
                    $crate::waiting::wait(py, async move { $call }).map(Into::into)
                }

                $(#[doc = $doc])*
                ///
                /// To be awaited.
                #[pyo3(signature = ($($needed,)* $($left = None),*))]
                fn $later<'py>(
                    &self,
                    py: ::pyo3::Python<'py>,
                    $($needed: ::portbook_ffi::python::Arg<$wanted>,)*
                    $($left: Option<::portbook_ffi::python::Arg<$taken>>),*
                ) -> ::pyo3::PyResult<$crate::later::Later<'py, $out>> {
                    $(let $needed = $needed.0;)*
                    $(let $left = $left.map(|left| left.0);)*
                    let $handle = self.handle.clone();
                    $crate::later::later(py, async move { $call })
                }
            )*

            $($(
                $(#[doc = $now_doc])*
                #[pyo3(signature = ($($now_needed,)* $($now_left = None),*))]
                fn $now(
                    &self,
                    py: ::pyo3::Python<'_>,
                    $($now_needed: ::portbook_ffi::python::Arg<$now_wanted>,)*
                    $($now_left: Option<::portbook_ffi::python::Arg<$now_taken>>),*
                ) -> ::pyo3::PyResult<$now_out> {
                    $(let $now_needed = $now_needed.0;)*
                    $(let $now_left = $now_left.map(|left| left.0);)*
                    let $now_handle = &self.handle;
                    let answer = ::portbook_ffi::caught(|| $now_call);
                    answer.map(Into::into).map_err(|error| ::portbook_ffi::python::raised(py, &error))
                }
            )*)?

            $(
                $(#[doc = $next_doc])*
                fn $next(&self, py: ::pyo3::Python<'_>) -> ::pyo3::PyResult<Option<$item>> {
                    let $next_handle = self.handle.clone();
                    $crate::waiting::wait(py, self.kept.clone().or(async move { $next_call }))
                }

                $(#[doc = $next_doc])*
                ///
                /// To be awaited.
                fn $next_later<'py>(
                    &self,
                    py: ::pyo3::Python<'py>,
                ) -> ::pyo3::PyResult<$crate::later::Later<'py, Option<$item>>> {
                    let $next_handle = self.handle.clone();
                    self.kept.later(py, async move { $next_call })
                }

                fn __iter__(slf: ::pyo3::PyRef<'_, Self>) -> ::pyo3::PyRef<'_, Self> {
                    slf
                }

                fn __next__(&self, py: ::pyo3::Python<'_>) -> ::pyo3::PyResult<Option<$item>> {
                    self.$next(py)
                }

                fn __aiter__(slf: ::pyo3::PyRef<'_, Self>) -> ::pyo3::PyRef<'_, Self> {
                    slf
                }

                fn __anext__<'py>(
                    &self,
                    py: ::pyo3::Python<'py>,
                ) -> ::pyo3::PyResult<$crate::later::Later<'py, $item>> {
                    let $next_handle = self.handle.clone();
                    self.kept.later_or_end(py, async move { $next_call })
                }
            )?

            $($also)*
        }
    };
}
pub(crate) use calls;

/// A class around a handle of the border; one that `keeps` items gives those back that a reader asked for and did not take.
macro_rules! handle {
    ($(#[doc = $doc:expr])* $name:ident $(keeps $item:ty)?) => {
        $(#[doc = $doc])*
        #[::pyo3::pyclass(frozen, module = "portbook")]
        pub(crate) struct $name {
            pub(crate) handle: ::std::sync::Arc<::portbook_ffi::$name>,
            $(kept: $crate::later::Kept<$item>,)?
        }

        impl From<::std::sync::Arc<::portbook_ffi::$name>> for $name {
            fn from(handle: ::std::sync::Arc<::portbook_ffi::$name>) -> Self {
                Self { handle, $(kept: $crate::later::Kept::<$item>::default(),)? }
            }
        }
    };
}
pub(crate) use handle;

/// What Python reads one after another, made by Python itself; the stubs say of what.
macro_rules! iterator {
    ($name:ident is $hint:literal of $item:ty) => {
        struct $name<'py>(::pyo3::Bound<'py, ::pyo3::PyAny>);

        impl<'py> ::pyo3::IntoPyObject<'py> for $name<'py> {
            type Target = ::pyo3::PyAny;
            type Output = ::pyo3::Bound<'py, ::pyo3::PyAny>;
            type Error = ::std::convert::Infallible;

            #[cfg(feature = "inspect")]
            const OUTPUT_TYPE: ::pyo3::inspect::PyStaticExpr = ::pyo3::type_hint_subscript!(
                ::pyo3::type_hint_identifier!("collections.abc", $hint),
                <$item as ::pyo3::PyTypeInfo>::TYPE_HINT
            );

            fn into_pyobject(self, _: ::pyo3::Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(self.0)
            }
        }
    };
}
pub(crate) use iterator;

/// As many rows as a page has at most, unless told otherwise.
pub(crate) const PAGE: u32 = 1000;
