"""One macro for protobuf and gRPC code, made by Debian's protoc."""

def schleuse_proto_library(name, srcs, grpc = False, visibility = None):
    """Generates C++ from .proto files of this package and compiles it.

    Args:
      name: the cc_library to make
      srcs: .proto files; they may import each other by their path from the top
      grpc: also generate the services
      visibility: as for any target
    """
    stems = [src[:-len(".proto")] for src in srcs]
    outs = []
    for stem in stems:
        outs += [stem + ".pb.h", stem + ".pb.cc"]
        if grpc:
            outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
    command = "protoc -I . --cpp_out=$(GENDIR)"
    if grpc:
        command += " --grpc_out=$(GENDIR)" + \
                   " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin"
    native.genrule(
        name = name + "_generate",
        srcs = srcs,
        outs = outs,
        cmd = "PATH=/usr/bin:/bin " + command + " $(SRCS)",
    )
    native.cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        # Generated code is judged by its generator's standards, not ours.
        copts = ["-w"],
        visibility = visibility,
        deps = ["//third_party:grpc" if grpc else "//third_party:protobuf"],
    )
