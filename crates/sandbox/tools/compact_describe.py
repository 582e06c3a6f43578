#!/usr/bin/env python3
"""Turns full describe answers into the compact files under src/salesforce/schema/objects.

usage: compact_describe.py <folder with *.cumulusci.json, *.grouparoo.json, standard-schema-fields.derived.json> <out>

Every field keeps only what differs from the template in `_template.json`. Packages' own custom fields and record types
are left out. Objects for which no describe was published are built from jsforce's generated type list.
"""
import json, os, re, sys

src, out = sys.argv[1], sys.argv[2]
DERIVED = json.load(open(os.path.join(src, "standard-schema-fields.derived.json")))["objects"]

TEMPLATE = dict(
    aggregatable=True, aiPredictionField=False, autoNumber=False, byteLength=0, calculated=False,
    calculatedFormula=None, cascadeDelete=False, caseSensitive=False, compoundFieldName=None, controllerName=None,
    createable=True, custom=False, defaultValue=None, defaultValueFormula=None, defaultedOnCreate=False,
    dependentPicklist=False, deprecatedAndHidden=False, digits=0, displayLocationInDecimal=False, encrypted=False,
    externalId=False, extraTypeInfo=None, filterable=True, filteredLookupInfo=None, formulaTreatNullNumberAsZero=False,
    groupable=True, highScaleNumber=False, htmlFormatted=False, idLookup=False, inlineHelpText=None, label="",
    length=0, mask=None, maskType=None, name="", nameField=False, namePointing=False, nillable=True, permissionable=True,
    picklistValues=[], polymorphicForeignKey=False, precision=0, queryByDistance=False, referenceTargetField=None,
    referenceTo=[], relationshipName=None, relationshipOrder=None, restrictedDelete=False, restrictedPicklist=False,
    scale=0, searchPrefilterable=False, soapType="xsd:string", sortable=True, type="string", unique=False,
    updateable=True, writeRequiresMasterRead=False)


def value(p):
    if p["active"] and not p["defaultValue"] and p["label"] == p["value"] and not p.get("validFor"):
        return p["value"]
    return [p["value"], p["label"], p["active"], p["defaultValue"]]


def field(f):
    d = {k: v for k, v in f.items() if k in TEMPLATE and v != TEMPLATE[k]}
    if "picklistValues" in d:
        d["picklistValues"] = [value(p) for p in d["picklistValues"]]
    return d


def scopes(d):
    return [[s["name"], s["label"]] for s in d.get("supportedScopes") or []]


def children(d):
    return [[c["childSObject"], c["field"], c["relationshipName"], c["cascadeDelete"], c["restrictedDelete"]]
            for c in d["childRelationships"] if not c["childSObject"].endswith("__c") and not c["field"].endswith("__c")]


# Fields that only orgs with partner portals have.
PORTAL = {"ChannelProgramName", "ChannelProgramLevelName", "IsPartner", "IsCustomerPortal"}
FLAGS = ["activateable", "associateEntityType", "associateParentEntity", "compactLayoutable", "createable",
         "deepCloneable", "defaultImplementation", "deletable", "deprecatedAndHidden", "extendedBy",
         "extendsInterfaces", "feedEnabled", "hasSubtypes", "implementedBy", "implementsInterfaces", "isInterface",
         "isSubtype", "layoutable", "listviewable", "lookupLayoutable", "mergeable", "mruEnabled",
         "queryable", "replicateable", "retrieveable", "searchLayoutable", "searchable", "triggerable", "undeletable",
         "updateable"]


def write(name, doc):
    with open(os.path.join(out, name + ".json"), "w") as f:
        f.write("{\n")
        for k in ("name", "label", "labelPlural", "keyPrefix"):
            f.write(f' "{k}": {json.dumps(doc[k])},\n')
        f.write(f' "flags": {json.dumps(doc["flags"])},\n')
        f.write(f' "scopes": {json.dumps(doc["scopes"])},\n')
        f.write(' "children": [\n' + ",\n".join("  " + json.dumps(c) for c in doc["children"]) + "],\n")
        f.write(' "fields": [\n' + ",\n".join("  " + json.dumps(c) for c in doc["fields"]) + "]\n}\n")


def genuine(name, file):
    d = json.load(open(os.path.join(src, file)))
    fields = [field(f) for f in d["fields"]
              if not f["custom"] and not f["name"].endswith("__c") and f["name"] not in PORTAL]
    flags = {k: d.get(k) for k in FLAGS}
    write(name, dict(name=name, label=d["label"], labelPlural=d["labelPlural"], keyPrefix=d["keyPrefix"],
                     flags=flags, scopes=scopes(d), children=children(d), fields=fields))


AUDIT = {"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "IsDeleted", "Id"}
READONLY = AUDIT | {"LastViewedDate", "LastReferencedDate", "IsArchived", "MasterRecordId", "LastLoginDate",
                    "LastPasswordChangeDate", "IsClosed", "IsHighPriority", "CompletedDateTime", "IsWon"}
DATES = {"ActivityDate", "StartDate", "EndDate", "RecurrenceStartDateOnly", "RecurrenceEndDateOnly",
         "LastActivityDate", "FirstRespondedDate"}
SPECIAL = {
    ("User", "Name"): dict(createable=False, updateable=False, nameField=True, length=121, extraTypeInfo="personname"),
    ("User", "LastName"): dict(length=80), ("User", "FirstName"): dict(length=40),
    ("User", "Username"): dict(length=80, idLookup=True, unique=False), ("User", "Alias"): dict(length=8),
    ("User", "Email"): dict(idLookup=True, length=128),
    ("EventRelation", "EventId"): dict(updateable=False, nillable=False),
    ("EventRelation", "RelationId"): dict(updateable=False, nillable=False,
                                          referenceTo=["Contact", "Lead", "User", "Calendar"]),
    ("EventRelation", "Status"): dict(type="picklist", length=40, defaultedOnCreate=True, nillable=True,
                                      picklistValues=[["New", "New", True, True], "Declined", "Accepted", "Uninvited",
                                                      "Maybe"]),
    ("EventRelation", "Response"): dict(length=255),
    ("Task", "Status"): dict(type="picklist", length=255, defaultedOnCreate=True,
                             picklistValues=[["Not Started", "Not Started", True, True], "In Progress", "Completed",
                                             "Waiting on someone else", "Deferred"]),
    ("Task", "Priority"): dict(type="picklist", length=255, defaultedOnCreate=True,
                               picklistValues=["High", ["Normal", "Normal", True, True], "Low"]),
    ("Task", "WhoId"): dict(referenceTo=["Contact", "Lead"], relationshipName="Who", namePointing=True),
    ("Task", "WhatId"): dict(referenceTo=["Account", "Campaign", "Case", "Contract", "Opportunity"],
                             relationshipName="What", namePointing=True),
    ("Task", "Description"): dict(type="textarea", length=32000),
    ("Task", "Subject"): dict(type="combobox", length=255),
    ("Group", "OwnerId"): dict(referenceTo=["User", "Organization"]),
    ("Note", "ParentId"): dict(referenceTo=["Account", "Contact", "Lead", "Opportunity", "Case", "Event"]),
    ("Note", "Body"): dict(type="textarea", length=32000),
    ("RecordType", "DeveloperName"): dict(length=80),
}
EXTRA = {
    "Profile": ("00e", {"Id": "string", "Name": "string", "UserType": "string | null", "Description": "string | null"}),
    "UserRole": ("00E", {"Id": "string", "Name": "string", "DeveloperName": "string | null"}),
    "CaseComment": ("00a", {"Id": "string", "ParentId": "string", "IsPublished": "boolean",
                            "CommentBody": "string | null", "IsDeleted": "boolean"}),
    "FeedItem": ("0D5", {"Id": "string", "ParentId": "string", "Type": "string | null", "Title": "string | null",
                         "Body": "string | null", "IsDeleted": "boolean"}),
}
EXTRA_PARENTS = {"CaseComment": {"Parent": "Case"},
                 "FeedItem": {"Parent": "Account"}}
EXTRA_AUDIT = {"CreatedDate": "DateString", "CreatedById": "string", "LastModifiedDate": "DateString",
               "LastModifiedById": "string", "SystemModstamp": "DateString"}


def words(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"Id$", " ID", name)).strip()


def derived(name, prefix, spec, parents):
    fields = []
    for n, t in spec.items():
        null = t.endswith("| null")
        t = t.replace("| null", "").strip()
        f = dict(name=n, label=words(n), nillable=null)
        ro = n in READONLY
        if n == "Id":
            f.update(type="id", length=18, byteLength=18, soapType="tns:ID", idLookup=True, defaultedOnCreate=True,
                     permissionable=False)
        elif n.endswith("Id") and t == "string":
            rel = n[:-2]
            target = parents.get(rel)
            f.update(type="reference", length=18, byteLength=18, soapType="tns:ID",
                     referenceTo=[target] if target else [], relationshipName=rel if target else None)
        elif t == "boolean":
            f.update(type="boolean", soapType="xsd:boolean", defaultValue=False, defaultedOnCreate=True, nillable=False)
        elif t == "DateString":
            kind = "date" if n in DATES else "datetime"
            f.update(type=kind, soapType="xsd:date" if kind == "date" else "xsd:dateTime")
        elif t == "number":
            whole = bool(re.search(r"Minutes|Interval|Mask|DayOf|Number|Count|Month", n))
            f.update(type="int" if whole else "double", soapType="xsd:int" if whole else "xsd:double",
                     digits=8 if whole else 0, precision=0 if whole else 18, scale=0 if whole else 15)
        elif t == "Address":
            f.update(type="address", soapType="urn:address", createable=False, updateable=False, filterable=False)
        else:
            f.update(length=255, byteLength=765)
            if n == "Email":
                f.update(type="email", length=80)
            elif n in ("Phone", "Fax", "MobilePhone"):
                f.update(type="phone", length=40)
        if n == "Name" and name not in ("User", "Name"):
            f.update(nameField=True)
        if ro:
            f.update(createable=False, updateable=False, defaultedOnCreate=not null)
        if n in ("OwnerId",):
            f.update(defaultedOnCreate=True)
        f.update(SPECIAL.get((name, n), {}))
        full = dict(TEMPLATE)
        full.update(f)
        d = {k: v for k, v in full.items() if v != TEMPLATE[k]}
        fields.append(d)
    flags = {k: (True if k in ("createable", "deletable", "layoutable", "queryable", "replicateable", "retrieveable",
                               "updateable", "searchable", "compactLayoutable", "triggerable", "undeletable")
                 else None if k in ("associateEntityType", "associateParentEntity", "defaultImplementation", "extendedBy",
                                    "extendsInterfaces", "implementedBy", "implementsInterfaces", "listviewable",
                                    "lookupLayoutable") else False) for k in FLAGS}
    if name in ("User", "Organization", "Profile", "RecordType", "UserRole"):
        flags.update(deletable=False, undeletable=False)
    if name in ("Organization", "Profile", "RecordType"):
        flags.update(createable=False)
    label = words(name)
    write(name, dict(name=name, label=label, labelPlural=label + "s", keyPrefix=prefix, flags=flags, scopes=[],
                     children=[], fields=fields))


for n in ["Account", "Contact", "Lead", "Opportunity", "Case", "Event", "OpportunityContactRole"]:
    genuine(n, n + ".cumulusci.json")
genuine("Campaign", "Campaign.v42.grouparoo.json")
for n, p in dict(User="005", EventRelation="0RE", Task="00T", Organization="00D", Group="00G", RecordType="012",
                 CampaignMember="00v", Note="002", CaseContactRole="03j").items():
    derived(n, p, DERIVED[n]["Fields"], DERIVED[n]["ParentReferences"])
for n, (p, spec) in EXTRA.items():
    derived(n, p, {**spec, **EXTRA_AUDIT},
            {"CreatedBy": "User", "LastModifiedBy": "User", **EXTRA_PARENTS.get(n, {})})
with open(os.path.join(out, "_template.json"), "w") as f:
    json.dump(TEMPLATE, f, indent=1)
    f.write("\n")
