"""What is read: answers over the read models, for the API, the console and the command line alike."""
