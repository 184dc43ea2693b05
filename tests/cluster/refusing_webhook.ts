/** An admission webhook that refuses everything; certificate and key come by CERT and KEY. */

// deno-lint-ignore-file no-console

Deno.serve({
  hostname: "0.0.0.0",
  port: 9443,
  cert: Deno.env.get("CERT") ?? "",
  key: Deno.env.get("KEY") ?? "",
}, async (request) => {
  const { request: { uid } } = await request.json();
  return Response.json({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: false, status: { message: "refused by the webhook" } },
  });
});
console.log("Listening");
