"""Exact solvers on the joint states and for MDPs that decouple; `lpi.exact` is their public face."""
