"""Check the manifests as a cluster and its platform team would: types, policies, references, flows."""
