"""What leaves the pipeline: the bundle an OpenSearch cluster is set up from."""
