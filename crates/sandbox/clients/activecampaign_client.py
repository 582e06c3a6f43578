"""Uses activecampaign-python against the sandbox as a program would, and checks what it gets.

usage: activecampaign_client.py <base url>
The last line on stdout is JSON: {"checks": n}.
"""

import json
import sys

import requests
from activecampaign.client import Client

BASE = sys.argv[1]
CREDS = requests.get(f"{BASE}/_sandbox/credentials.json", timeout=10).json()
client = Client(CREDS["url"], CREDS["api_token"])
checks = 0


def equal(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


# The user, and a wrong token.
equal(client.users.retrieve_logged_in_user()["user"]["username"], "admin")
equal(Client(BASE, "wrong").contacts.list_all_contacts(), {"message": ""})

# Fields, tags and lists.
field = client.contacts.create_a_custom_field({"field": {"title": "Nickname", "type": "text"}})["field"]
equal(field["perstag"], "NICKNAME")
fields = client.contacts.list_all_custom_fields(limit=100)
equal([row["title"] for row in fields["fields"]][:2], ["City", "Birthday"])
tag = client.tags.create_a_tag({"tag": {"tag": "added", "tagType": "contact", "description": ""}})["tag"]
equal(client.tags.list_all_tags()["meta"]["total"], "1")
made = client.lists.create_a_list({"list": {"name": "Fair", "stringid": "fair", "sender_url": "https://example.org",
                                            "sender_reminder": "You signed up."}})["list"]
equal(made["id"], "2")

# One contact.
ada = client.contacts.create_a_contact({"contact": {
    "email": "Ada@Example.org", "firstName": "Ada", "fieldValues": [{"field": field["id"], "value": "A"}]}})["contact"]
again = client.contacts.create_a_contact({"contact": {"email": "ada@example.org"}})
equal(again["errors"][0]["code"], "duplicate")
synced = client.contacts.create_or_update_contact({"contact": {"email": "ada@example.org", "lastName": "L"}})
equal((synced["contact"]["id"], synced["contact"]["lastName"]), (ada["id"], "L"))
changed = client.contacts.update_a_contact(ada["id"], {"contact": {"phone": "+49 1"}})
equal(changed["contact"]["phone"], "+49 1")
whole = client.contacts.retrieve_a_contact(ada["id"])
equal(whole["fieldValues"][0]["value"], "A")
equal(whole["contact"]["updated_utc_timestamp"], whole["contact"]["udate"][:19].replace("T", " "))
value = client.contacts.create_a_custom_field_value({"fieldValue": {"contact": ada["id"], "field": "1", "value": "Bonn"}})
equal(value["fieldValue"]["value"], "Bonn")
equal(len(client.contacts.retrieve_a_contacts_field_values(ada["id"])["fieldValues"]), 2)

# Tags and lists of a contact.
tagging = client.contacts.add_a_tag_to_contact({"contactTag": {"contact": ada["id"], "tag": tag["id"]}})["contactTag"]
equal(client.contacts.retrieve_contact_tags(ada["id"])["contactTags"][0]["tag"], tag["id"])
equal(client.contacts.remove_a_tag_from_a_contact(tagging["id"]), {})
status = client.contacts.update_list_status_for_a_contact(
    {"contactList": {"list": made["id"], "contact": ada["id"], "status": 2}})
equal(status["contactList"]["status"], 2)
equal(client.contacts.list_all_contacts(listid=made["id"], status=2)["meta"]["total"], "1")

# Pages by number.
for n in range(30):
    client.contacts.create_or_update_contact({"contact": {"email": f"p{n}@example.org"}})
seen, after = 0, "0"
while True:
    rows = client.contacts.list_all_contacts(**{"orders[id]": "ASC", "id_greater": after, "limit": 10})["contacts"]
    if not rows:
        break
    seen, after = seen + len(rows), rows[-1]["id"]
equal(seen, 31)
equal(client.contacts.list_all_contacts(email="p7@example.org")["contacts"][0]["email"], "p7@example.org")
equal(client.contacts.list_all_contacts(**{"filters[updated_after]": "1970-01-01T00:00:00.000Z"})["meta"]["total"], "31")

# Deals and webhooks.
deal = client.deals.create_a_deal({"deal": {"title": "Big", "value": 700, "currency": "eur", "contact": ada["id"],
                                            "group": "1", "stage": "1", "owner": "1"}})["deal"]
equal(client.deals.retrieve_a_deal(deal["id"])["deal"]["value"], "700")
client.deals.update_a_deal(deal["id"], {"deal": {"stage": "2", "value": 150050}})
changed = client.deals.list_all_deals(**{"filters[updated_after]": "1970-01-01", "filters[created_after]": "1970-01-01"})["deals"]
equal([[one["stage"], one["value"], one["contact"]] for one in changed], [["2", "150050", str(ada["id"])]])
equal([stage["title"] for stage in client.deals.list_all_stages()["dealStages"]], ["To Contact", "In Contact", "Follow Up"])
hook = client.webhooks.create_a_webhook({"webhook": {"name": "h", "url": "https://s.example/h", "events": ["update"],
                                                     "sources": ["api"]}})["webhook"]
equal(client.webhooks.retrieve_a_webhook(hook["id"])["webhook"]["events"], ["update"])
equal(client.webhooks.delete_a_webhook(hook["id"]), {})

# Deletion.
equal(client.contacts.delete_a_contact(ada["id"]), {})
equal(client.contacts.retrieve_a_contact(ada["id"]), {"message": f"No Result found for Subscriber with id {ada['id']}"})

print(json.dumps({"checks": checks}))
