//! Evidence as it is stored (stub).
