//! Whoever takes events within libvirt's callback, while libvirt has yet to tidy up behind it: that
//! takes as long as a first frame.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::engine::Event;

/// Takes events on the thread that dispatches.
///
/// libvirt is on the stack and holds no lock. Nothing here may block or call libvirt.
pub trait Hear {
    /// Takes one event, or gives it back for the queue.
    ///
    /// # Errors
    ///
    /// The event, where there is no room for what would follow from it.
    fn hear(&mut self, event: Event) -> Result<(), Event>;
}

thread_local! {
    /// There is one listener a process, and one thread dispatches for it.
    static HEARER: RefCell<Option<Weak<RefCell<dyn Hear>>>> = const { RefCell::new(None) };
    /// Whether something was heard since [`forget_heard`].
    static HEARD: Cell<bool> = const { Cell::new(false) };
}

/// Makes this the hearer of the calling thread, for as long as somebody else keeps it.
pub(super) fn install(hearer: &Rc<RefCell<dyn Hear>>) {
    HEARER.set(Some(Rc::downgrade(hearer)));
}

/// Tells this thread's hearer.
///
/// # Errors
///
/// The event, where nobody takes it: no hearer on this thread, or one that is busy or full.
pub(super) fn tell(event: Event) -> Result<(), Event> {
    let Some(hearer) = HEARER.with_borrow(|hearer| hearer.as_ref().and_then(Weak::upgrade)) else {
        return Err(event);
    };
    let Ok(mut hearer) = hearer.try_borrow_mut() else {
        return Err(event);
    };
    hearer.hear(event)?;
    HEARD.set(true);
    Ok(())
}

/// Whether this thread's hearer took something since [`forget_heard`].
pub(super) fn has_heard() -> bool {
    HEARD.get()
}

/// Begins anew.
pub(super) fn forget_heard() {
    HEARD.set(false);
}
