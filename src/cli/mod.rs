//! macmovectl.
