"""Listens to change events with gRPC's own client, protobuf's own runtime and Apache Avro's own library."""

import io
import json
import queue
import sys
import types
import urllib.parse
import urllib.request

import avro.io
import avro.schema
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto

BASE = sys.argv[1]
checks = 0


def check(found, expected, what):
    global checks
    checks += 1
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


# The messages that are used, by the names and numbers that the vendor documents for its fields.
TEXT, BYTES, NUMBER, FLAG = Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_INT32, Field.TYPE_BOOL
MESSAGES = {
    "TopicRequest": [("topic_name", 1, TEXT)],
    "TopicInfo": [
        ("topic_name", 1, TEXT),
        ("tenant_guid", 2, TEXT),
        ("can_publish", 3, FLAG),
        ("can_subscribe", 4, FLAG),
        ("schema_id", 5, TEXT),
        ("rpc_id", 6, TEXT),
    ],
    "SchemaRequest": [("schema_id", 1, TEXT)],
    "SchemaInfo": [("schema_json", 1, TEXT), ("schema_id", 2, TEXT), ("rpc_id", 3, TEXT)],
    "ProducerEvent": [("id", 1, TEXT), ("schema_id", 2, TEXT), ("payload", 3, BYTES)],
    "ConsumerEvent": [("event", 1, "ProducerEvent"), ("replay_id", 2, BYTES)],
    "FetchRequest": [
        ("topic_name", 1, TEXT),
        ("replay_preset", 2, NUMBER),
        ("replay_id", 3, BYTES),
        ("num_requested", 4, NUMBER),
    ],
    "FetchResponse": [
        ("events", 1, ["ConsumerEvent"]),
        ("latest_replay_id", 2, BYTES),
        ("rpc_id", 3, TEXT),
        ("pending_num_requested", 4, NUMBER),
    ],
}
# Where a subscription begins; the latest unless said.
EARLIEST, CUSTOM = 1, 2


def messages():
    """The classes of the messages, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="eventbus.v1", syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            field = described.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
            if isinstance(kind, list):
                [kind] = kind
                field.label = Field.LABEL_REPEATED
            if isinstance(kind, str):
                field.type, field.type_name = Field.TYPE_MESSAGE, f".eventbus.v1.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    named = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"eventbus.v1.{name}"))
    return types.SimpleNamespace(**{name: named(name) for name in MESSAGES})


class Stub:
    """The calls of the service."""

    def __init__(self, channel, pb2):
        def method(make, name, asked, answered):
            return make(
                f"/eventbus.v1.PubSub/{name}",
                request_serializer=asked.SerializeToString,
                response_deserializer=answered.FromString,
            )

        self.GetTopic = method(channel.unary_unary, "GetTopic", pb2.TopicRequest, pb2.TopicInfo)
        self.GetSchema = method(channel.unary_unary, "GetSchema", pb2.SchemaRequest, pb2.SchemaInfo)
        self.Subscribe = method(channel.stream_stream, "Subscribe", pb2.FetchRequest, pb2.FetchResponse)


def call(path, body=None, token=None, method="POST", form=False, client=None):
    headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if client:
        headers["Sforce-Call-Options"] = f"client={client}"
    data = None if body is None else (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
    asked = urllib.request.Request(BASE + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Listener:
    """One subscription: requests go in by a queue, answers are read one by one."""

    def __init__(self, stub, metadata, pb2, **first):
        self.pb2 = pb2
        self.asked = queue.Queue()
        self.asked.put(pb2.FetchRequest(**first))
        self.answers = stub.Subscribe(iter(self.asked.get, None), metadata=metadata, timeout=60)

    def ask(self, count):
        self.asked.put(self.pb2.FetchRequest(num_requested=count))

    def next(self):
        return next(self.answers)

    def events(self):
        """The next answer that has events: signs of life come at any time."""
        while not (answer := self.next()).events:
            pass
        return answer

    def sign_of_life(self):
        while (answer := self.next()).events:
            pass
        return answer

    def end(self):
        self.asked.put(None)
        self.answers.cancel()


def changed_names(schema, bitmaps):
    """As the vendor's example reads them: one bit for each field, the lowest for the first."""
    names = [field.name for field in schema.fields]
    bits = bin(int(bitmaps[0], 16))[2:][::-1] if bitmaps else ""
    return {names[at] for at, bit in enumerate(bits) if bit == "1"}


def refused(act):
    try:
        act()
    except grpc.RpcError as error:
        codes = dict(error.trailing_metadata() or ())
        return error.code(), codes.get("error-code", "")
    sys.exit("it was not refused")


def main():
    pb2 = messages()
    app = call("/_sandbox/credentials.json", method="GET")
    login = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
    session = call("/services/oauth2/token", login, form=True)
    token, org = session["access_token"], session["id"].split("/")[-2]
    metadata = (("accesstoken", token), ("instanceurl", session["instance_url"]), ("tenantid", org))
    stub = Stub(grpc.insecure_channel(app["event_endpoint"].removeprefix("http://")), pb2)
    schemas = {}

    def schema(schema_id):
        if schema_id not in schemas:
            told = stub.GetSchema(pb2.SchemaRequest(schema_id=schema_id), metadata=metadata)
            check(told.schema_id, schema_id, "the schema's id")
            schemas[schema_id] = avro.schema.parse(told.schema_json)
        return schemas[schema_id]

    def read(event):
        known = schema(event.event.schema_id)
        payload = io.BytesIO(event.event.payload)
        value = avro.io.DatumReader(known).read(avro.io.BinaryDecoder(payload))
        check(payload.read(), b"", "bytes behind the event")
        return value, known

    # Topics and schemas.
    topic = stub.GetTopic(pb2.TopicRequest(topic_name="/data/ChangeEvents"), metadata=metadata)
    check((topic.can_subscribe, topic.can_publish, topic.schema_id), (True, False, ""), "all changes")
    topic = stub.GetTopic(pb2.TopicRequest(topic_name="/data/ContactChangeEvent"), metadata=metadata)
    check(schema(topic.schema_id).name, "ContactChangeEvent", "the schema of a contact's changes")

    # What changes is told, with its values, and by whom.
    open_ = Listener(stub, metadata, pb2, topic_name="/data/ChangeEvents", num_requested=3)
    alive = open_.sign_of_life()
    check(alive.pending_num_requested, 3, "what is still asked for")
    made = call("/services/data/v64.0/sobjects/Contact", {"LastName": "Hopper", "FirstName": "Grace"}, token, client="Astro")
    answer = open_.events()
    check((len(answer.events), answer.pending_num_requested), (1, 2), "one event")
    value, known = read(answer.events[0])
    head = value["ChangeEventHeader"]
    check((head["entityName"], head["changeType"], head["recordIds"]), ("Contact", "CREATE", [made["id"]]), "the head")
    check(head["changeOrigin"].endswith(";client=Astro"), True, "who called")
    check(head["commitUser"], session["id"].split("/")[-1], "who made it")
    check((value["LastName"], value["Phone"]), ("Hopper", None), "values")
    first = answer.events[0].replay_id

    call(f"/services/data/v64.0/sobjects/Contact/{made['id']}", {"Phone": "1", "FirstName": None}, token, method="PATCH")
    value, known = read(open_.events().events[0])
    head = value["ChangeEventHeader"]
    check(head["changeType"], "UPDATE", "the change")
    check({"Phone", "FirstName"} <= changed_names(known, head["changedFields"]), True, "changed fields")
    check(changed_names(known, head["nulledFields"]), {"FirstName"}, "nulled fields")
    check((value["Phone"], value["FirstName"], value["LastName"]), ("1", None, None), "only what changed")

    # Nothing comes that was not asked for.
    call(f"/services/data/v64.0/sobjects/Contact/{made['id']}", None, token, method="DELETE")
    check(read(open_.events().events[0])[0]["ChangeEventHeader"]["changeType"], "DELETE", "the third and last")
    call("/services/data/v64.0/sobjects/Contact", {"LastName": "Byron"}, token)
    alive = open_.next()
    check((len(alive.events), alive.pending_num_requested), (0, 0), "a sign of life and no event")
    call("/_sandbox/events", {"sign_of_life": {}})
    check(len(open_.next().events), 0, "one that was asked for")
    open_.ask(100)
    check(len(open_.events().events), 1, "once it is asked for")
    open_.end()

    # Behind a place, from the beginning, and what the vendor cannot tell record by record.
    again = Listener(
        stub, metadata, pb2, topic_name="/data/ContactChangeEvent", replay_preset=CUSTOM, replay_id=first, num_requested=100
    )
    check(len(again.events().events), 3, "events behind the first")
    call("/_sandbox/events", {"gap": {"object": "Contact", "change": "GAP_OVERFLOW", "ids": []}})
    head = read(again.events().events[0])[0]["ChangeEventHeader"]
    check((head["changeType"], head["recordIds"]), ("GAP_OVERFLOW", []), "an overflow")
    again.end()
    whole = Listener(stub, metadata, pb2, topic_name="/data/ContactChangeEvent", replay_preset=EARLIEST, num_requested=100)
    kept = whole.events().events
    check(len(kept), 5, "all that is kept")
    check(len({event.replay_id for event in kept}), 5, "each with a place of its own")
    whole.end()

    # Refusals.
    def listen(**first):
        return lambda: Listener(stub, metadata, pb2, **{"topic_name": "/data/ChangeEvents", "num_requested": 1, **first}).next()

    prefix = "sfdc.platform.eventbus.grpc."
    damaged = listen(replay_preset=CUSTOM, replay_id=b"nonsense")
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    check(refused(damaged), (invalid, prefix + "subscription.fetch.replayid.corrupted"), "a damaged place")
    call("/_sandbox/events", {"forget": {}})
    gone = listen(replay_preset=CUSTOM, replay_id=first)
    check(refused(gone), (invalid, prefix + "subscription.fetch.replayid.validation.failed"), "a forgotten place")
    check(refused(listen(num_requested=101))[0], invalid, "more than a hundred")
    check(refused(listen(topic_name="/data/CaseChangeEvent"))[0], grpc.StatusCode.NOT_FOUND, "an object not selected")
    metadata = (("accesstoken", "wrong"), *metadata[1:])
    check(refused(listen())[0], grpc.StatusCode.UNAUTHENTICATED, "a wrong token")
    print(json.dumps({"checks": checks}))


main()
