//! Each way of logging in, and each way it is refused.
