// A certified OpenID Connect provider: node provider.js PEOPLE_JSON PORTAL_URL PORTAL_URL_WITHOUT_SID. PEOPLE_JSON is
// read anew for each sign-in; tokens for the second portal name no session (`sid`).
// Prints its issuer. Any password is right; the sign-in name is the subject.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [people, portal, withoutSid] = process.argv.slice(2);
const client = (id, url, namesSessions) => ({
  client_id: id,
  client_secret: "a secret of the tests, not of anybody",
  redirect_uris: [`${url}/sign-in/identity/back`],
  post_logout_redirect_uris: [`${url}/sign-in`],
  backchannel_logout_uri: `${url}/sign-in/identity/logout`,
  backchannel_logout_session_required: namesSessions,
});
const server = createServer();

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client("hpc-portal", portal, true), client("hpc-portal-without-sid", withoutSid, false)],
    claims: {
      openid: ["sub", "groups"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
    },
    features: { backchannelLogout: { enabled: true } },
    pkce: { required: () => true },
    // Its own defence against addresses of this machine would keep it from telling the portal of a log-out.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    cookies: { keys: ["of the tests"] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...JSON.parse(readFileSync(people, "utf8"))[id] }),
    }),
  });
  provider.on("backchannel.error", (_context, error) => console.error("backchannel", error));
  provider.on("server_error", (_context, error) => console.error("server", error));
  server.on("request", provider.callback());
  console.log(issuer);
});
