"""Hands Bazel's own C++ rules on under the names that its tools load."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite

def _unused(**_kwargs):
    fail("this rule is not part of the offline stand-in for rules_cc")

objc_import = _unused
objc_library = _unused
cc_proto_library = _unused
cc_flags_supplier = _unused
compiler_flag = _unused
fdo_prefetch_hints = _unused
fdo_profile = _unused
