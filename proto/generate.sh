#!/bin/sh
# Writes the Python code of motet.v1 next to its .proto files, or under the folder given as the only argument.
# Same compiler (grpcio-tools, mypy-protobuf: see constraints) => same bytes; a test holds the committed files to it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../.venv/bin/python}
out=${1:-$here}
mkdir -p "$out"
out=$(cd "$out" && pwd)
# protoc finds protoc-gen-mypy and protoc-gen-mypy_grpc beside the interpreter.
PATH=$(cd "$(dirname "$python")" && pwd):$PATH
export PATH
cd "$here"
"$python" -m grpc_tools.protoc --proto_path=. --python_out="$out" --mypy_out="quiet:$out" motet/v1/*.proto
"$python" -m grpc_tools.protoc --proto_path=. --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" motet/v1/*_service.proto
