// Uses Brevo's own client against the sandbox as a program would, and checks what it gets.
// usage: node brevo.mjs <base url>
// The last line on stdout is JSON: {"checks": n}.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const clients = process.env.SANDBOX_CLIENTS;
const { BrevoClient, BrevoError } = createRequire(path.join(clients, "package.json"))("@getbrevo/brevo");
const base = process.argv[2];
const creds = await (await fetch(`${base}/_sandbox/credentials.json`)).json();
const client = (options = {}) => new BrevoClient({ apiKey: creds.api_key, baseUrl: creds.url, maxRetries: 0, ...options });
const brevo = client();
let checks = 0;
const is = (actual, expected, what) => { assert.deepEqual(actual, expected, what); checks += 1; };
const fails = async (promise, status, code) => {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof BrevoError, String(error));
    assert.deepEqual([error.statusCode, error.body?.code], [status, code]);
    return true;
  });
  checks += 1;
};

// The account, and a wrong key.
is((await brevo.account.getAccount()).companyName, "Sandbox GmbH");
await fails(client({ apiKey: "wrong" }).account.getAccount(), 401, "unauthorized");

// Attributes, lists and folders.
await brevo.contacts.createAttribute({ attributeCategory: "normal", attributeName: "NICKNAME", type: "text" });
const { attributes } = await brevo.contacts.getAttributes();
is(attributes.find((row) => row.name === "NICKNAME"), { name: "NICKNAME", category: "normal", type: "text" });
is(attributes.find((row) => row.name === "STAGE").enumeration[0], { value: 1, label: "Lead" });
const { folders } = await brevo.contacts.getFolders({ limit: 10, offset: 0 });
const list = await brevo.contacts.createList({ name: "Fair", folderId: folders[0].id });
is((await brevo.contacts.getLists({ limit: 50, offset: 0, sort: "asc" })).lists.map((row) => row.name), ["Newsletter", "Fair"]);

// One contact.
const made = await brevo.contacts.createContact({
  email: "Ada@Example.org", ext_id: "u-1", attributes: { FIRSTNAME: "Ada", SMS: "+491701234567", NICKNAME: "A" } });
is(typeof made.id, "number");
await fails(brevo.contacts.createContact({ email: "ada@example.org" }), 400, "duplicate_parameter");
const byMail = await brevo.contacts.getContactInfo({ identifier: "ada@example.org" });
is([byMail.id, byMail.attributes.SMS, byMail.attributes.NICKNAME], [made.id, "491701234567", "A"]);
is((await brevo.contacts.getContactInfo({ identifier: "u-1", identifierType: "ext_id" })).email, "ada@example.org");
await brevo.contacts.updateContact({ identifier: made.id, identifierType: "contact_id",
  attributes: { EMAIL: "ada@new.example", BIRTHDAY: "no day" }, listIds: [list.id] });
const after = await brevo.contacts.getContactInfo({ identifier: made.id });
is([after.email, after.attributes.BIRTHDAY, after.listIds], ["ada@new.example", undefined, [list.id]]);
is(await brevo.contacts.createContact({ ext_id: "u-1", attributes: { CITY: "Bonn" }, updateEnabled: true }), undefined);
await fails(brevo.contacts.getContactInfo({ identifier: "nobody@example.org" }), 404, "document_not_found");

// Batch, import, list membership.
await brevo.contacts.createContact({ email: "b@example.org" });
await brevo.contacts.updateBatchContacts({ contacts: [
  { id: made.id, attributes: { CITY: "Ulm" } }, { email: "b@example.org", attributes: { CITY: "Ulm" } }] });
is((await brevo.contacts.getContacts({ filter: 'equals(CITY,"Ulm")' })).count, 2);
const rows = Array.from({ length: 1500 }, (_, n) => ({ email: `p${n}@example.org`, attributes: { REVENUE: n } }));
const { processId } = await brevo.contacts.importContacts({ jsonBody: rows, listIds: [list.id] });
const process_ = await brevo.process.getProcess({ processId });
is([process_.status, process_.info.import.invalid_emails], ["completed", null]);
const page = await brevo.contacts.getContacts({ limit: 1000, offset: 1000, sort: "asc" });
is([page.count, page.contacts.length], [1502, 502]);
is((await brevo.contacts.getContactsFromList({ listId: list.id, limit: 500 })).contacts.length, 500);
const added = await brevo.contacts.addContactToList({ listId: list.id, body: { emails: ["b@example.org", "no@example.org"] } });
is([added.contacts.success, added.contacts.failure], [["b@example.org"], ["no@example.org"]]);
is((await brevo.contacts.getContacts({ ids: [made.id] })).contacts.length, 1);
await fails(brevo.contacts.getContacts({ limit: 1001 }), 400, "out_of_range");

// Webhooks, companies, deals.
const hook = await brevo.webhooks.createWebhook({ url: "https://s.example/h", type: "marketing", events: ["contactUpdated"] });
is((await brevo.webhooks.getWebhook({ webhookId: hook.id })).type, "marketing");
await brevo.webhooks.deleteWebhook({ webhookId: hook.id });
const company = await brevo.companies.createACompany({ name: "Acme", linkedContactsIds: [made.id] });
const deal = await brevo.deals.createADeal({ name: "Big", attributes: { amount: 7 }, linkedCompaniesIds: [company.id] });
is((await brevo.deals.getADeal({ id: deal.id })).attributes.deal_name, "Big");
is((await brevo.companies.getACompany({ id: company.id })).linkedDealsIds, [deal.id]);
is((await brevo.deals.getAllPipelines())[0].stages.length, 5);
await brevo.deals.updateADeal({ id: deal.id, attributes: { amount: 8 } });
const links = { linkContactIds: [made.id], unlinkCompanyIds: [company.id] };
await brevo.deals.linkAndUnlinkADealWithContactsAndCompanies({ id: deal.id, ...links });
const all = (await brevo.deals.getAllDeals({ sort: "asc", limit: 10 })).items;
is([all[0].attributes.amount, all[0].linkedContactsIds, all[0].linkedCompaniesIds], [8, [made.id], []]);
is((await brevo.deals.getDealAttributes())[0].internalName, "deal_name");

// Deletion, and a fault that was asked for: the client tries again by itself.
await brevo.contacts.deleteContact({ identifier: made.id });
await fails(brevo.contacts.deleteContact({ identifier: made.id }), 404, "document_not_found");
const fault = await fetch(`${base}/_sandbox/faults`, { method: "POST",
  body: JSON.stringify({ kind: "status", status: 503, method: "GET", path: "/v3/account", times: 1 }) });
is(fault.status, 201);
is((await client({ maxRetries: 2 }).account.getAccount()).email, "owner@sandbox.example");

console.log(JSON.stringify({ checks }));
