"""Jobs that people submit past the portal: found in the cluster's accounting, shown and charged."""
