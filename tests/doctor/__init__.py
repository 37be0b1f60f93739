"""What `handclasp doctor` says about files and endpoints that are wrong on purpose."""
