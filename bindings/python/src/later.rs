//! The form of a call for asyncio: a future of the running loop.
//!
//! What always holds:
//! - Rust's futures are polled on threads of their own, without Python's lock: a waker that takes it while a channel holds its
//!   own would wait for a thread that has the one and wants the other.
//! - An answer that nobody takes any more, since its future was cancelled meanwhile, is given back: no event is lost.
//! - A process made by `fork` has none of those threads and gets new ones.
//! - They end before the interpreter does, which none of them may enter then.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use portbook_ffi::python::raised;
use portbook_ffi::{Result, caught_later};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::prelude::*;
use pyo3::types::PyCFunction;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

/// How long the end of the interpreter waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that can be awaited, and what comes of it.
pub(crate) struct Later<'py, T>(Bound<'py, PyAny>, PhantomData<T>);

impl<'py, T> IntoPyObject<'py> for Later<'py, T>
where
    T: IntoPyObject<'py>,
{
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    #[cfg(feature = "inspect")]
    const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr =
        pyo3::type_hint_subscript!(pyo3::type_hint_identifier!("collections.abc", "Awaitable"), T::OUTPUT_TYPE);

    fn into_pyobject(self, _: Python<'py>) -> PyResult<Self::Output> {
        Ok(self.0)
    }
}

/// An operation as a future of the running loop. Cancelling that gives up waiting, and nothing else.
///
/// # Errors
/// `RuntimeError` when no loop is running.
pub(crate) fn later<'py, T, A>(
    py: Python<'py>,
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<Later<'py, A>>
where
    T: Send + 'static,
    A: From<T> + for<'a> IntoPyObject<'a> + 'static,
{
    begin(py, operation, |py, answer| A::from(answer).into_py_any(py), drop)
}

/// What is there already, to be awaited.
///
/// # Errors
/// `RuntimeError` when no loop is running.
pub(crate) fn at_once<'py, T: pyo3::PyClass>(value: Bound<'py, T>) -> PyResult<Later<'py, T>> {
    let here = value.py().import("asyncio")?.call_method0("get_running_loop")?;
    let future = here.call_method0("create_future")?;
    future.call_method1("set_result", (value,))?;
    Ok(Later(future, PhantomData))
}

/// What came of something that has an end and was not taken: the next reader gets it first, also one that waits already.
pub(crate) struct Kept<T>(Arc<(Mutex<VecDeque<T>>, Notify)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::new((Mutex::default(), Notify::new())))
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Kept<T> {
    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, item: Option<T>) {
        self.items().extend(item);
        self.0.1.notify_waiters();
    }

    /// What was kept, else what `next` brings.
    pub(crate) async fn or(self, next: impl Future<Output = Result<Option<T>>>) -> Result<Option<T>> {
        let mut next = pin!(next);
        loop {
            let mut told = pin!(self.0.1.notified());
            // From here on nothing is given back unnoticed.
            told.as_mut().enable();
            let kept = self.items().pop_front();
            if kept.is_some() {
                return Ok(kept);
            }
            let came = poll_fn(|context| match next.as_mut().poll(context) {
                Poll::Ready(came) => Poll::Ready(Some(came)),
                Poll::Pending => told.as_mut().poll(context).map(|()| None),
            });
            if let Some(came) = came.await {
                // The last one may have been given back meanwhile.
                return Ok(came?.or_else(|| self.items().pop_front()));
            }
        }
    }

    /// As [`later`]; the end is none.
    pub(crate) fn later<'py, A>(
        &self,
        py: Python<'py>,
        next: impl Future<Output = Result<Option<T>>> + Send + 'static,
    ) -> PyResult<Later<'py, Option<A>>>
    where
        A: From<T> + for<'a> IntoPyObject<'a> + 'static,
    {
        let kept = self.clone();
        let into = |py: Python<'_>, came: Option<T>| came.map(A::from).into_py_any(py);
        begin(py, self.clone().or(next), into, move |came| kept.give_back(came))
    }

    /// As [`later`]; the end is that of an `async for`.
    pub(crate) fn later_or_end<'py, A>(
        &self,
        py: Python<'py>,
        next: impl Future<Output = Result<Option<T>>> + Send + 'static,
    ) -> PyResult<Later<'py, A>>
    where
        A: From<T> + for<'a> IntoPyObject<'a> + 'static,
    {
        let kept = self.clone();
        let into = |py: Python<'_>, came: Option<T>| match came {
            Some(came) => A::from(came).into_py_any(py),
            None => Err(PyStopAsyncIteration::new_err(())),
        };
        begin(py, self.clone().or(next), into, move |came| kept.give_back(came))
    }
}

fn begin<'py, T: Send + 'static, A>(
    py: Python<'py>,
    operation: impl Future<Output = Result<T>> + Send + 'static,
    into: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    give_back: impl FnOnce(T) + Send + 'static,
) -> PyResult<Later<'py, A>> {
    let here = py.import("asyncio")?.call_method0("get_running_loop")?;
    let future = here.call_method0("create_future")?;
    let (answers, answered) = (future.clone().unbind(), here.unbind());
    let task = threads()?.spawn(async move {
        let answer = caught_later(operation).await;
        // There is nobody to tell where there is no interpreter any more.
        Python::try_attach(|py| tell(py, answered.bind(py), answers, answer, into, give_back));
    });
    let given_up = PyCFunction::new_closure(py, None, None, move |_, _| task.abort())?;
    future.call_method1("add_done_callback", (given_up,))?;
    Ok(Later(future, PhantomData))
}

/// Has the loop put the answer into its future.
fn tell<T: Send + 'static>(
    py: Python<'_>,
    here: &Bound<'_, PyAny>,
    future: Py<PyAny>,
    answer: Result<T>,
    into: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    give_back: impl FnOnce(T) + Send + 'static,
) {
    let answer = Arc::new(Mutex::new(Some((answer, into, give_back))));
    let take = {
        let answer = answer.clone();
        move || answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    };
    let taken = take.clone();
    let put = PyCFunction::new_closure(py, None, None, move |arguments, _| -> PyResult<()> {
        let (py, Some((answer, into, give_back))) = (arguments.py(), taken()) else { return Ok(()) };
        let future = future.bind(py);
        if future.call_method0("done")?.is_truthy()? {
            if let Ok(answer) = answer {
                give_back(answer);
            }
            return Ok(());
        }
        match answer.map_err(|error| raised(py, &error)).and_then(|answer| into(py, answer)) {
            Ok(value) => future.call_method1("set_result", (value,))?,
            Err(error) => future.call_method1("set_exception", (error,))?,
        };
        Ok(())
    });
    let told = put.and_then(|put| here.call_method1("call_soon_threadsafe", (put,)));
    // A loop that was closed has nobody who waits.
    if told.is_err()
        && let Some((Ok(answer), _, give_back)) = take()
    {
        give_back(answer);
    }
}

/// The threads of this process. They are only asked for with Python's lock, under which a process forks, too: no fork finds
/// this locked.
static THREADS: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

fn threads() -> PyResult<Handle> {
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((of, threads)) = threads.as_ref()
        && *of == process
    {
        return Ok(threads.handle().clone());
    }
    let made = Builder::new_multi_thread().worker_threads(1).thread_name("portbook-asyncio").enable_all().build();
    let made = made.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    let handle = made.handle().clone();
    // The threads of another process cannot be waited for.
    std::mem::forget(threads.replace((process, made)));
    Ok(handle)
}

/// Has the threads end before the interpreter does.
pub(crate) fn end_with_the_interpreter(py: Python<'_>) -> PyResult<()> {
    let end = PyCFunction::new_closure(py, None, None, |arguments, _| {
        let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner).take();
        match threads {
            Some((process, threads)) if process == std::process::id() => {
                arguments.py().detach(|| threads.shutdown_timeout(PATIENCE));
            }
            others => std::mem::forget(others),
        }
    })?;
    py.import("atexit")?.call_method1("register", (end,))?;
    Ok(())
}
