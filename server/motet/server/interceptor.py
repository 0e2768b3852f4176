"""Wraps every RPC of ours: bytes that are no message, and exceptions, become well-formed errors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from motet.music.error import InvalidInputError
from motet.server.errors import failure_of
from motet.v1 import search_service_pb2

PACKAGE = "motet.v1"


@dataclass(frozen=True, slots=True)
class Undecodable:
    """What the handler gets in place of a request that could not be read."""

    error: InvalidInputError


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Turns every exception of a ``motet.v1`` handler into a status with details; never lets one through."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns the handler of the call, wrapped if it is one of ours (health and reflection are not)."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(f"/{PACKAGE}."):
            return handler
        request_type = _request_type(handler_call_details.method)

        def decode(data: bytes) -> Any:
            try:
                return request_type.FromString(data)
            except DecodeError:
                return Undecodable(diagnose(data, request_type.DESCRIPTOR))

        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _stream(handler.unary_stream),
                request_deserializer=decode,
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            _unary(handler.unary_unary),
            request_deserializer=decode,
            response_serializer=handler.response_serializer,
        )


def _request_type(method: str) -> type[Message]:
    service, name = method.removeprefix(f"/{PACKAGE}.").split("/")
    descriptor = search_service_pb2.DESCRIPTOR.services_by_name[service].methods_by_name[name].input_type
    return message_factory.GetMessageClass(descriptor)


def _unary(inner: Any) -> Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]:
    async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            if isinstance(request, Undecodable):
                raise request.error
            return await inner(request, context)
        except Exception as error:
            await _abort(context, error)

    return answer


def _stream(inner: Any) -> Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[None]]:
    async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        try:
            if isinstance(request, Undecodable):
                raise request.error
            stream: AsyncGenerator[Any, None] = inner(request, context)
            # aclosing: a cancelled call must run the generator's clean-up now, not when it is garbage collected.
            async with aclosing(stream):
                async for response in stream:
                    await context.write(response)
        except Exception as error:
            await _abort(context, error)

    return answer


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    failure = failure_of(error)
    await context.abort(failure.code, failure.detail.message, failure.trailing_metadata())


def diagnose(data: bytes, descriptor: Any) -> InvalidInputError:
    """Says why ``data`` is no message of type ``descriptor``: the text field that is not UTF-8, or just malformed."""
    loose = _with_bytes_for_strings(descriptor)
    try:
        message = loose.FromString(data)
    except DecodeError:
        return InvalidInputError.of(
            "request", f"must be a serialized {descriptor.full_name}", data[:40], reason="MALFORMED_REQUEST"
        )
    for path, value in _texts(message, descriptor, ""):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return InvalidInputError.of(path, "must be UTF-8", value[:40], reason="NOT_UTF8")
    return InvalidInputError.of("request", f"must be a serialized {descriptor.full_name}", data[:40])


def _with_bytes_for_strings(descriptor: Any) -> type[Message]:
    """The message type of the same wire format in which every text is bytes, so that bad UTF-8 can be looked at."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: Any) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        for message in proto.message_type:
            for field in message.field:
                if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(proto)

    add(descriptor.file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(descriptor.full_name))


def _texts(message: Any, descriptor: Any, prefix: str) -> list[tuple[str, bytes]]:
    """Every (path, value) of ``message`` that is text according to ``descriptor``."""
    found: list[tuple[str, bytes]] = []
    for field, value in message.ListFields():
        original = descriptor.fields_by_name[field.name]
        items = list(value) if field.is_repeated else [value]
        for index, item in enumerate(items):
            path = f"{prefix}{field.name}[{index}]" if field.is_repeated else f"{prefix}{field.name}"
            if original.type == original.TYPE_STRING:
                found.append((path, item))
            elif original.message_type is not None:
                found.extend(_texts(item, original.message_type, f"{path}."))
    return found
