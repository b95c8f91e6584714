"""Fuzz targets, each a source `<name>_fuzz.cc` and `seeds/<name>/`."""

def schleuse_fuzz_test(name, deps, srcs = [], mutations = 20000):
    """Makes `<name>_fuzz_test` and `<name>_fuzz` of one target.

    The first is an ordinary test: it holds the property against each seed and
    against what comes near it. The second is libFuzzer's program; it makes
    sense under --config=fuzz alone.

    Args:
      name: of what is fuzzed.
      deps: beyond what every target has.
      srcs: beyond `<name>_fuzz.cc`.
      mutations: how many inputs near each seed the test tries.
    """
    sources = [name + "_fuzz.cc"] + srcs
    seeds = "seeds/" + name
    native.cc_test(
        name = name + "_fuzz_test",
        size = "small",
        srcs = sources,
        data = native.glob([seeds + "/*"]),
        env = {
            "FUZZ_MUTATIONS": str(mutations),
            "FUZZ_SEEDS": native.package_name() + "/" + seeds,
        },
        deps = deps + [":replay"],
    )
    native.cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = sources + ["libfuzzer.cc"],
        linkopts = ["-fsanitize=fuzzer"],
        tags = [
            "fuzz",
            "manual",
        ],
        deps = deps + [":fuzz"],
    )
